-- A view: the versions lie in int_purchase_days_versioned, and the newest of each is the truth.
{{ config(materialized='view') }}

with newest_days as (

    select
        customer_id,

        line_count,
        net_amount,
        discount_amount,

        purchase_date,
        known_at as known_date

    from {{ ref('int_purchase_days_versioned') }}

    where superseded_at is null

)

select * from newest_days
