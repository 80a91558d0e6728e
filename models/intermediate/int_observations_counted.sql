-- How many customers there are to observe on each date, and a number that tells their set from another: so a feature model knows which
-- dates it lacks without comparing every row.
with counts as (

    select
        observation_date,

        count(*) as customers,
        {{ set_hash('customer_id') }} as customers_hash

    from {{ ref('customer_observations') }}

    group by observation_date

)

select * from counts
