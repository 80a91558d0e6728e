-- Every version of every event beside the message it belongs to, and whether it counts as the response.
with events as (

    select * from {{ ref('stg_communications__events') }}

),

messages as (

    select * from {{ ref('int_messages_versioned') }}

    where superseded_at is null

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

enriched as (

    select
        events.source_system,
        events.message_id,
        messages.customer_id,
        messages.action_id,

        messages.channel,
        messages.arm,
        events.event_type,

        events.value_amount,

        events.event_type in ('converted', 'redeemed')
        and events.occurred_at >= messages.sent_at
        and events.occurred_at < messages.outcome_closes_at as is_response,

        events.occurred_at,
        messages.sent_at,
        events.known_at,
        case when events.superseded_at < as_of.as_of_date then events.superseded_at end as superseded_at

    from events
    cross join as_of
    inner join messages
        on
            events.source_system = messages.source_system
            and events.message_id = messages.message_id

    where events.known_at < as_of.as_of_date

)

select * from enriched
