with observations as (

    {{ new_observations() }}

),

visits as (

    select
        customer_id,
        visited_at as event_at,
        known_at,
        superseded_at

    from {{ ref('int_visits_versioned') }}

),

features as (

    {{ newest_event('visits', 'last_visit_at') }}

)

select * from features
