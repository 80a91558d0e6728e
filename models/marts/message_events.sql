-- A view: the versions lie in int_message_events_versioned, and the newest of each is the truth.
{{ config(materialized='view') }}

with newest_events as (

    select
        source_system,
        message_id,
        customer_id,

        event_type,
        channel,

        value_amount,

        is_response,

        occurred_at,
        known_at

    from {{ ref('int_message_events_versioned') }}

    where superseded_at is null

)

select * from newest_events
