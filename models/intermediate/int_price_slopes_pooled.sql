-- How strongly all customers together buy less when they pay more, as far as we knew on each observation date.
with days as (

    select
        *,
        'all customers' as pool

    from {{ ref('int_price_days_versioned') }}

),

dates as (

    select observation_date from {{ ref('int_observation_dates') }}

),

totals as (

    {{ knowledge_totals('days', 'pool', ['price_squares', 'price_products']) }}

),

pooled as (

    select
        cast(totals.price_products as double) / cast(totals.price_squares as double) as price_slope,
        dates.observation_date

    from dates
    inner join totals on {{ known_as_of('totals', 'dates.observation_date') }}

    where totals.price_squares > 0

)

select * from pooled
