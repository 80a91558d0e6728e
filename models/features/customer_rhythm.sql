with observations as (

    {{ new_observations() }}

),

purchases as (

    select
        observations.customer_id,
        observations.observation_date,
        purchase_days.purchase_date,
        {{ days_between('purchase_days.purchase_date', 'observations.observation_date') }} as age_days,
        {{ days_between('lag(purchase_days.purchase_date) over history', 'purchase_days.purchase_date') }} as gap_days,
        {{ days_between(
            'max(purchase_days.purchase_date) over (partition by observations.customer_id, observations.observation_date)',
            'observations.observation_date'
        ) }} as days_since_last_purchase

    from observations
    left join {{ ref('int_purchase_days_versioned') }} as purchase_days
        on
            observations.customer_id = purchase_days.customer_id
            and purchase_days.purchase_date < observations.observation_date
            and {{ known_as_of('purchase_days', 'observations.observation_date') }}

    window history as (
        partition by observations.customer_id, observations.observation_date
        order by purchase_days.purchase_date
    )

),

rhythm as (

    select
        customer_id,
        observation_date,

        count(purchase_date) - 1 as frequency,
        max(age_days) as tenure_days,
        min(age_days) as days_since_last_purchase,

        count(gap_days) as gaps,
        sum(gap_days) as gap_days_sum,
        sum(gap_days * gap_days) as gap_days_squared_sum,
        median(gap_days) as gap_days_median,
        max_by(gap_days, purchase_date) as gap_days_last,
        max(gap_days) as gap_days_max,
        {% for tau in [7, 21, 60] -%}
        -- As decimals, so that the sum does not depend on the order of rows.
        sum(cast(exp(-age_days / {{ tau }}.0) as decimal(18, 12))) as decayed_{{ tau }},
        {% endfor -%}
        count(*) filter (where gap_days > days_since_last_purchase) as longer_gaps

    from purchases

    group by customer_id, observation_date

),

features as (

    select
        customer_id,

        case when frequency >= 0 then frequency end as frequency,
        cast(tenure_days - days_since_last_purchase as bigint) as recency_days,
        cast(tenure_days as bigint) as tenure_days,
        cast(days_since_last_purchase as bigint) as days_since_last_purchase,

        cast(gap_days_sum as double) / nullif(gaps, 0) as gap_days_mean,
        sqrt(
            greatest(gap_days_squared_sum - cast(gap_days_sum as double) * gap_days_sum / gaps, 0)
            / case when gaps > 1 then gaps - 1 end
        ) as gap_days_sd,
        cast(gap_days_median as double) as gap_days_median,
        cast(gap_days_last as bigint) as gap_days_last,
        cast(gap_days_max as bigint) as gap_days_max,
        cast(longer_gaps as double) / nullif(gaps, 0) as longer_gap_share,
        days_since_last_purchase / nullif(cast(gap_days_sum as double) / nullif(gaps, 0), 0) as days_since_last_over_gap_mean,
        days_since_last_purchase / nullif(cast(gap_days_median as double), 0) as days_since_last_over_gap_median,
        {% for tau in [7, 21, 60] -%}
        coalesce(cast(decayed_{{ tau }} as double), 0) as decayed_purchase_days_{{ tau }},
        {% endfor %}
        observation_date

    from rhythm

)

select * from features
