-- A view: customers times dates is large, and cheap to compute whenever a feature model asks what is new.
{{ config(materialized='view') }}

-- A customer exists while its oldest record, whose id it bears, belongs to it.
with customers as (

    select
        customer_id,
        known_at,
        superseded_at

    from {{ ref('int_customer_keys_versioned') }}

    where customer_id = record_id

),

observations as (

    select
        customers.customer_id,

        dates.observation_date

    from customers
    inner join {{ ref('int_observation_dates') }} as dates on {{ known_as_of('customers', 'dates.observation_date') }}

)

select * from observations
