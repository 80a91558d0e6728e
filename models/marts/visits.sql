-- A view: its rows lie in staging, and the keys say whose they are.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

visits as (

    select
        visits.source_system,
        visits.visit_id,
        keys.customer_id,
        visits.product_key,

        visits.channel,
        visits.category,

        visits.duration_seconds,

        visits.visited_at,
        visits.known_at

    from {{ ref('stg_communications__visits') }} as visits
    cross join as_of
    inner join {{ ref('customer_keys') }} as keys
        on
            visits.source_system = keys.source_system
            and visits.customer_key = keys.customer_key

    where {{ known_as_of('visits', 'as_of.as_of_date') }}

)

select * from visits
