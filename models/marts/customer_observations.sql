-- A view: customers times dates is large, and cheap to compute whenever a feature model asks what is new.
{{ config(materialized='view') }}

with customers as (

    select
        customer_id,
        min(known_at) as known_at

    from {{ ref('customer_keys') }}

    group by customer_id

),

observations as (

    select
        customers.customer_id,

        dates.observation_date

    from customers
    inner join {{ ref('int_observation_dates') }} as dates on customers.known_at < dates.observation_date

)

select * from observations
