{#- As much as 100 product days whose prices differ by 10 %: 100 x 0.1 x 0.1. -#}
{%- set prior_squares = 1 -%}
{#- As much as one product day that is one percent off: cents and exchange rates make no change of price. -#}
{%- set least_squares = 0.0001 -%}
with observations as (

    {{ new_observations() }}

),

price_days as (

    select
        observations.customer_id,
        observations.observation_date,
        price_days.* exclude (customer_id, known_at, superseded_at, _built_at),
        price_days.purchase_date >= {{ add_days('observations.observation_date', -90) }} as is_recent

    from observations
    left join {{ ref('int_price_days_versioned') }} as price_days on {{ observable('price_days', 'purchase_date') }}

),

totals as (

    select
        customer_id,
        observation_date,

        coalesce(sum(product_days), 0) as product_days,
        cast(sum(discounted_product_days) as double) / nullif(sum(discount_known_product_days), 0) as discounted_share,
        cast(sum(listed_net_amount) as double) / nullif(cast(sum(list_amount) as double), 0) as price_over_list,
        cast(sum(compared_net_amount) filter (where is_recent) as double)
        / nullif(cast(sum(reference_amount) filter (where is_recent) as double), 0) as recent_price,
        max_by(cast(compared_net_amount as double) / nullif(cast(reference_amount as double), 0), purchase_date) as last_price,
        sum(compared_product_days) as compared_product_days,
        cast(sum(price_squares) as double) as price_squares,
        cast(sum(price_products) as double) as price_products

    from price_days

    group by customer_id, observation_date

),

features as (

    select
        totals.customer_id,

        cast(totals.product_days as bigint) as product_days_ever,
        totals.discounted_share as discounted_product_day_share,
        totals.price_over_list,
        totals.recent_price as price_over_reference_past_90_days,
        totals.last_price as last_price_over_reference,
        -- Few comparisons, or prices that hardly differ, say little: then the slope is nearly that of all customers.
        case
            when totals.price_squares >= {{ least_squares }}
                then
                    (totals.price_products + {{ prior_squares }} * pooled.price_slope)
                    / (totals.price_squares + {{ prior_squares }})
        end as price_sensitivity,
        case when totals.price_squares >= {{ least_squares }} then cast(totals.compared_product_days as bigint) end
            as price_sensitivity_product_days,

        totals.observation_date

    from totals
    left join {{ ref('int_price_slopes_pooled') }} as pooled on totals.observation_date = pooled.observation_date

)

select * from features
