-- A view: read once, by the model that judges it.
{{ config(materialized='view') }}

-- What tells whether a customer may and can be reached: consents, addresses on record and the fate of messages.
with channels as (

    select unnest(['email', 'sms', 'phone', 'post']) as channel

),

addresses as (

    select
        * exclude (known_at),
        {{ "coalesce(known_at, timestamp '1900-01-01')" if var('use_undated_attributes') else 'known_at' }} as known_at

    from {{ ref('int_customer_records_versioned') }}

    where not coalesce(is_deleted, false)

),

evidence as (

    select
        consents.customer_id,
        consents.record_id,
        channels.channel,
        'consent' as evidence,
        consents.status as says,
        consents.effective_at as said_at,
        consents.known_at,
        consents.superseded_at

    from {{ ref('int_consents_versioned') }} as consents
    -- What is said about any channel is said about each.
    inner join channels on consents.channel in (channels.channel, 'any')

    where consents.purpose = 'marketing'

    union

    select
        addresses.customer_id,
        addresses.record_id,
        channels.channel,
        'address' as evidence,
        'shown' as says,
        addresses.known_at as said_at,
        addresses.known_at,
        addresses.superseded_at

    from addresses
    inner join channels
        on case channels.channel when 'email' then addresses.email when 'post' then addresses.postal_code else addresses.phone end != ''

    where addresses.known_at is not null

    union

    select
        events.customer_id,
        null as record_id,
        events.channel,
        'delivery' as evidence,
        case when events.event_type = 'bounced' then 'undelivered' else 'received' end as says,
        events.occurred_at as said_at,
        events.known_at,
        events.superseded_at

    from {{ ref('int_message_events_versioned') }} as events
    inner join channels on events.channel = channels.channel

    where events.arm = 'treatment' and events.event_type in ('delivered', 'opened', 'clicked', 'replied', 'redeemed', 'bounced')

)

select * from evidence
