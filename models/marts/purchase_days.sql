-- A view: the versions lie in int_purchase_days_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

newest_days as (

    select
        customer_id,

        line_count,
        net_amount,
        discount_amount,

        purchase_date,
        known_at as known_date

    from {{ ref('int_purchase_days_versioned') }} as versions
    cross join as_of

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from newest_days
