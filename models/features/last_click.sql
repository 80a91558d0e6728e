with observations as (

    {{ new_observations() }}

),

clicks as (

    select
        customer_id,
        occurred_at as event_at,
        known_at,
        superseded_at

    from {{ ref('int_message_events_versioned') }}

    where event_type = 'clicked'

),

features as (

    {{ newest_event('clicks', 'last_click_at') }}

)

select * from features
