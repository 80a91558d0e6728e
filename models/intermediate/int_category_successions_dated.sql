-- A view: read once, by the model that counts it.
{{ config(materialized='view') }}

-- Customers who bought a category for the first time after another, or both at first on one day (each category with itself among them),
-- from and until when we knew.
with first_purchases as (

    select * from {{ ref('int_category_firsts_versioned') }}

),

successions as (

    select
        earlier.customer_id,
        earlier.category,
        later.category as next_category,
        later.first_purchase_date > earlier.first_purchase_date as is_after,
        greatest(earlier.known_at, later.known_at) as known_at,
        least(earlier.superseded_at, later.superseded_at) as superseded_at

    from first_purchases as earlier
    inner join first_purchases as later
        on
            earlier.customer_id = later.customer_id
            and earlier.first_purchase_date <= later.first_purchase_date
            and {{ overlap('earlier', 'later') }}

)

select * from successions
