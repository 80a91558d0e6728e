-- As much as 100 lines whose prices differ by 10 %: 100 x 0.1 x 0.1.
{%- set prior_squares = 1 %}
with observations as (

    {{ new_observations() }}

),

prices as (

    select * from {{ ref('int_prices_versioned') }}

),

pooled as (

    select * from {{ ref('int_price_slopes_pooled') }}

),

features as (

    select
        observations.customer_id,

        coalesce(prices.priced_lines, 0) as priced_lines_ever,
        prices.discounted_line_share,
        prices.price_over_list,
        prices.last_price_over_reference,
        -- Few lines, or prices that hardly differ, say little: then the slope is nearly that of all customers.
        case
            when prices.price_squares > 0
                then
                    (cast(prices.price_products as double) + {{ prior_squares }} * pooled.price_slope)
                    / (cast(prices.price_squares as double) + {{ prior_squares }})
        end as price_sensitivity,
        case when prices.price_squares > 0 then prices.compared_lines end as price_sensitivity_lines,

        observations.observation_date

    from observations
    left join prices
        on
            observations.customer_id = prices.customer_id
            and {{ known_as_of('prices', 'observations.observation_date') }}
    left join pooled on observations.observation_date = pooled.observation_date

)

select * from features
