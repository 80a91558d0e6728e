with observations as (

    {{ new_observations() }}

),

-- A visit belongs to the customer that its key belonged to at the time.
visits as (

    select
        keys.customer_id,
        visits.visited_at as event_at,
        greatest(visits.known_at, keys.known_at) as known_at,
        least(visits.superseded_at, keys.superseded_at) as superseded_at

    from {{ ref('stg_communications__visits') }} as visits
    inner join {{ ref('int_customer_keys_versioned') }} as keys
        on
            visits.source_system = keys.source_system
            and visits.customer_key = keys.customer_key
            and {{ overlap('visits', 'keys') }}

),

features as (

    {{ newest_event('visits', 'last_visit_at') }}

)

select * from features
