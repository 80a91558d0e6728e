{%- set windows = [7, 14, 30, 60, 90, 180, 365] -%}
{%- set weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
with observations as (

    {{ new_observations() }}

),

purchases as (

    select
        observations.customer_id,
        observations.observation_date,
        purchase_days.purchase_date,
        purchase_days.net_amount,
        purchase_days.discount_amount,
        purchase_days.line_count,
        {{ days_between('purchase_days.purchase_date', 'observations.observation_date') }} as age_days

    from observations
    left join {{ ref('int_purchase_days_versioned') }} as purchase_days
        on
            observations.customer_id = purchase_days.customer_id
            and purchase_days.purchase_date < observations.observation_date
            and {{ known_as_of('purchase_days', 'observations.observation_date') }}

),

categories as (

    select
        observations.customer_id,
        observations.observation_date,
        count(*) as categories_ever

    from observations
    inner join {{ ref('int_category_purchases_dated') }} as category_purchases
        on
            observations.customer_id = category_purchases.customer_id
            and {{ known_as_of('category_purchases', 'observations.observation_date') }}

    group by observations.customer_id, observations.observation_date

),

-- Amounts are summed as decimals, so that the result does not depend on the order of rows.
totals as (

    select
        customer_id,
        observation_date,

        {% for window in windows -%}
        count(*) filter (where age_days <= {{ window }}) as purchase_days_past_{{ window }}_days,
        coalesce(sum(net_amount) filter (where age_days <= {{ window }}), 0) as net_amount_past_{{ window }}_days,
        {% endfor -%}
        {% for weekday in weekdays -%}
        count(*) filter (where isodow(purchase_date) = {{ loop.index }}) as {{ weekday }}s,
        {% endfor -%}
        count(purchase_date) as purchase_days_ever,
        count(net_amount) as amounts_known,
        sum(net_amount) as net_amount_ever,
        max_by(net_amount, purchase_date) as net_amount_last_purchase_day,
        sum(line_count) as lines_ever,
        sum(discount_amount) as discount_amount_ever,
        sum(net_amount) filter (where age_days <= 90) as net_amount_recent,
        sum(discount_amount) filter (where age_days <= 90) as discount_amount_recent

    from purchases

    group by customer_id, observation_date

),

features as (

    select
        totals.customer_id,

        {% for window in windows -%}
        totals.purchase_days_past_{{ window }}_days,
        {% endfor -%}
        totals.purchase_days_ever,
        {% for window in windows -%}
        cast(totals.net_amount_past_{{ window }}_days as double) as net_amount_past_{{ window }}_days,
        {% endfor -%}
        cast(coalesce(totals.net_amount_ever, 0) as double) as net_amount_ever,
        cast(totals.net_amount_ever as double) / nullif(totals.amounts_known, 0) as net_amount_per_purchase_day_mean,
        cast(totals.net_amount_last_purchase_day as double) as net_amount_last_purchase_day,
        cast(totals.lines_ever as double) / nullif(totals.purchase_days_ever, 0) as lines_per_purchase_day_mean,
        coalesce(categories.categories_ever, 0) as categories_ever,
        cast(totals.discount_amount_ever as double)
        / nullif(cast(totals.net_amount_ever + totals.discount_amount_ever as double), 0) as discount_share_ever,
        cast(totals.discount_amount_recent as double)
        / nullif(cast(totals.net_amount_recent + totals.discount_amount_recent as double), 0) as discount_share_past_90_days,
        {% for weekday in weekdays -%}
        cast(totals.{{ weekday }}s as double) / nullif(totals.purchase_days_ever, 0) as {{ weekday }}_share,
        {% endfor %}
        totals.observation_date

    from totals
    left join categories
        on
            totals.customer_id = categories.customer_id
            and totals.observation_date = categories.observation_date

)

select * from features
