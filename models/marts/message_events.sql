-- A view: the versions lie in int_message_events_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

newest_events as (

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

    from {{ ref('int_message_events_versioned') }} as versions
    cross join as_of

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from newest_events
