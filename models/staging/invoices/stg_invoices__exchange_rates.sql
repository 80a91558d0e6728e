-- Exchange rates day by day: those that people keep in the seed, and those that came with the raw data. Each holds until the next.
-- A table, because it is joined with every line, and the file with the rates may move.
{{ config(materialized='table') }}

with rates as (

    select
        currency,
        rated_on,
        rate

    from {{ ref('exchange_rates') }}

    union

    {{ landed_exchange_rates() }}

),

dated as (

    select
        currency,

        rate,

        rated_on,
        least(
            -- The next later day: two rates of one day would hold for the same days, and a test would tell.
            min(rated_on) over (
                partition by currency order by rated_on
                range between interval 1 day following and unbounded following
            ),
            {{ add_days('rated_on', var('max_rate_age_days') + 1) }}
        ) as ends_on

    from rates

    -- A row that lacks one of them tells no rate: an amount would count as if it were in the lake's currency. By a rate of 0 it would be nothing.
    where currency is not null and rated_on is not null and rate > 0

),

daily as (

    select
        currency,

        rate,

        cast(unnest(generate_series(rated_on, ends_on - 1, interval 1 day)) as date) as rate_date

    from dated

)

select * from daily
