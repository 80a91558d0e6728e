with observations as (

    {{ new_observations() }}

),

purchases as (

    select
        observations.customer_id,
        observations.observation_date,
        gaps.purchase_date,
        gaps.gap_days,
        {{ days_between('gaps.purchase_date', 'observations.observation_date') }} as age_days

    from observations
    left join {{ ref('int_purchase_gaps_versioned') }} as gaps on {{ observable('gaps', 'purchase_date') }}

),

-- Decimals, so that their sum does not depend on the order of rows.
weights as (

    select
        {{ decay_weights(7) }} as weights_7,
        {{ decay_weights(21) }} as weights_21,
        {{ decay_weights(60) }} as weights_60

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
        {{ median_of('list(gap_days)') }} as gap_days_median,
        max_by(gap_days, purchase_date) as gap_days_last,
        max(gap_days) as gap_days_max,
        {% for tau in [7, 21, 60] -%}
        sum({{ element_of('weights_' ~ tau, 'age_days') }}) as decayed_{{ tau }},
        {% endfor -%}
        list(gap_days) as all_gaps

    from purchases
    cross join weights

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
        cast({{ count_above('all_gaps', 'days_since_last_purchase') }} as double) / nullif(gaps, 0) as longer_gap_share,
        days_since_last_purchase / nullif(cast(gap_days_sum as double) / nullif(gaps, 0), 0) as days_since_last_over_gap_mean,
        days_since_last_purchase / nullif(cast(gap_days_median as double), 0) as days_since_last_over_gap_median,
        {% for tau in [7, 21, 60] -%}
        coalesce(cast(decayed_{{ tau }} as double), 0) as decayed_purchase_days_{{ tau }},
        {% endfor %}
        observation_date

    from rhythm

)

select * from features
