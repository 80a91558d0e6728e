-- What each record said about contact, in all versions: granted, withdrawn, or objected to by an unsubscribe or a complaint.
with messages as (

    select * from {{ ref('stg_communications__messages') }}

),

objections as (

    select * from {{ ref('stg_communications__events') }}

    where event_type in ('unsubscribed', 'complained')

),

statements as (

    select
        source_system,
        customer_key,
        channel,
        lower(purpose) as purpose,
        status,
        evidence,
        false as is_objection,
        effective_at,
        known_at,
        superseded_at

    from {{ ref('stg_crm__consents') }}

    union all

    select
        messages.source_system,
        messages.customer_key,
        -- An objection to a message of unknown channel is one to all of them.
        case when lower(messages.channel) in ('unknown', 'any') then 'any' else messages.channel end as channel,
        'marketing' as purpose,
        'withdrawn' as status,
        objections.event_type as evidence,
        true as is_objection,
        objections.occurred_at as effective_at,
        greatest(objections.known_at, messages.known_at) as known_at,
        least(objections.superseded_at, messages.superseded_at) as superseded_at

    from objections
    inner join messages
        on
            objections.source_system = messages.source_system
            and objections.message_id = messages.message_id
            and {{ overlap('objections', 'messages') }}

),

-- Who leaves by one click may do so from several messages, and the CRM may write it down too: it was said once.
said_once as (

    select
        source_system,
        customer_key,
        channel,
        purpose,
        status,
        evidence,
        bool_or(is_objection) as is_objection,
        effective_at,
        known_at,
        superseded_at

    from statements

    group by source_system, customer_key, channel, purpose, status, evidence, effective_at, known_at, superseded_at

)

select * from said_once
