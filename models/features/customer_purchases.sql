with observations as (

    {{ new_observations() }}

),

purchases as (

    select
        observations.customer_id,
        observations.observation_date,
        purchase_days.* exclude (customer_id, known_at, superseded_at, _built_at),
        {{ days_between('purchase_days.purchase_date', 'observations.observation_date') }} as age_days

    from observations
    left join {{ ref('int_purchase_days_versioned') }} as purchase_days on {{ observable('purchase_days', 'purchase_date') }}

),

categories as (

    select
        observations.customer_id,
        observations.observation_date,
        count(*) as categories_ever

    from observations
    inner join {{ ref('int_category_purchases_dated') }} as category_purchases on {{ observable('category_purchases') }}

    group by observations.customer_id, observations.observation_date

),

-- Amounts are summed as decimals, so that the result does not depend on the order of rows.
totals as (

    select
        customer_id,
        observation_date,

        {% for window in [7, 14, 30, 60, 90, 180, 365] -%}
        count(*) filter (where age_days <= {{ window }}) as purchase_days_past_{{ window }}_days,
        cast(coalesce(sum(net_amount) filter (where age_days <= {{ window }}), 0) as double) as net_amount_past_{{ window }}_days,
        {% endfor -%}
        {% for weekday in ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
        cast(count(*) filter (where isodow(purchase_date) = {{ loop.index }}) as double)
        / nullif(count(purchase_date), 0) as {{ weekday }}_share,
        {% endfor -%}
        count(purchase_date) as purchase_days_ever,
        cast(coalesce(sum(net_amount), 0) as double) as net_amount_ever,
        cast(sum(net_amount) as double) / nullif(count(net_amount), 0) as net_amount_per_purchase_day_mean,
        cast(max_by(net_amount, purchase_date) as double) as net_amount_last_purchase_day,
        {% for name, ages in {'ever': 'true', 'past_90_days': 'age_days <= 90'}.items() -%}
        cast(sum(discount_amount) filter (where {{ ages }}) as double)
        / nullif(cast(sum(net_amount) filter (where {{ ages }}) + sum(discount_amount) filter (where {{ ages }}) as double), 0)
            as discount_share_{{ name }},
        {% endfor -%}
        cast(sum(line_count) as double) / nullif(count(purchase_date), 0) as lines_per_purchase_day_mean

    from purchases

    group by customer_id, observation_date

),

features as (

    select
        totals.* exclude (observation_date),
        coalesce(categories.categories_ever, 0) as categories_ever,

        totals.observation_date

    from totals
    left join categories using (customer_id, observation_date)

)

select * from features
