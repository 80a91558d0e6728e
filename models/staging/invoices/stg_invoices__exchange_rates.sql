-- Exchange rates with the days on which each holds: those that people keep in the seed, and those that came with the raw data.
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
            lead(rated_on) over (partition by currency order by rated_on),
            {{ add_days('rated_on', var('max_rate_age_days') + 1) }}
        ) as ends_on

    from rates

)

select * from dated
