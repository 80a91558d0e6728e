-- Every version of every event under every version of its message, and whether it counts as the response: known from when both
-- were known, until either was replaced.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_message_events()) }}") }}

with events as (

    select * from {{ ref('stg_communications__events') }}

    where {{ touched_message_events() }}

),

messages as (

    select * from {{ ref('int_messages_versioned') }}

    where {{ touched_message_events() }}

),

enriched as (

    select
        events.source_system,
        events.message_id,
        messages.customer_id,
        messages.customer_key,
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
        greatest(events.known_at, messages.known_at) as known_at,
        least(events.superseded_at, messages.superseded_at) as superseded_at,
        {{ this_build() }} as _built_at

    from events
    inner join messages
        on
            events.source_system = messages.source_system
            and events.message_id = messages.message_id
            and coalesce(events.superseded_at, date '9999-12-31') > messages.known_at
            and coalesce(messages.superseded_at, date '9999-12-31') > events.known_at

)

select * from enriched
