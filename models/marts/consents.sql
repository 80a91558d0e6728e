-- Every statement about contact: granted or withdrawn, and the unsubscribes and complaints that withdraw a channel at once.
-- The consent at any instant is the newest statement before it that was known by then.
with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

stated as (

    select
        keys.customer_id,
        consents.channel,
        consents.purpose,
        consents.status,
        consents.evidence,
        consents.effective_at,
        consents.known_at

    from {{ ref('stg_crm__consents') }} as consents
    inner join {{ ref('customer_keys') }} as keys
        on
            consents.source_system = keys.source_system
            and consents.customer_key = keys.customer_key
    cross join as_of

    where {{ known_as_of('consents', 'as_of.as_of_date') }}

),

objections as (

    select
        customer_id,
        -- An objection to a message of unknown channel is one to all of them.
        case when channel = 'unknown' then 'any' else channel end as channel,
        'marketing' as purpose,
        'withdrawn' as status,
        event_type as evidence,
        occurred_at as effective_at,
        known_at

    from {{ ref('message_events') }}

    where event_type in ('unsubscribed', 'complained')

),

statements as (

    select * from stated

    union all

    select * from objections

),

-- Several statements of one moment count as one, and the most restrictive of them holds.
consents as (

    select
        customer_id,

        channel,
        purpose,
        max(status) as status,
        string_agg(distinct evidence, ', ' order by evidence) as evidence,

        effective_at,
        min(known_at) as known_at

    from statements

    group by customer_id, channel, purpose, effective_at

)

select * from consents
