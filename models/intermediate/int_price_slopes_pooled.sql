-- How strongly all customers together buy less when they pay more, as far as we knew on each observation date.
with prices as (

    select * from {{ ref('int_prices_versioned') }}

    where price_squares > 0

),

changes as (

    select
        known_at,
        price_squares,
        price_products

    from prices

    union all

    select
        superseded_at as known_at,
        -price_squares as price_squares,
        -price_products as price_products

    from prices

    where superseded_at is not null

),

changes_by_day as (

    select
        known_at,
        sum(price_squares) as price_squares,
        sum(price_products) as price_products

    from changes

    group by known_at

),

pooled as (

    select
        cast(sum(changes.price_products) as double) / nullif(cast(sum(changes.price_squares) as double), 0) as price_slope,

        dates.observation_date

    from {{ ref('int_observation_dates') }} as dates
    inner join changes_by_day as changes on changes.known_at < dates.observation_date

    group by dates.observation_date

)

select * from pooled
