{%- set sums = ['count(gap_days)', 'sum(gap_days)', 'sum(gap_days * gap_days)'] -%}
with observations as (

    {{ new_observations() }}

),

-- The rhythm that held before each purchase day tells whether it was a return.
purchases as (

    select
        observations.customer_id,
        observations.observation_date,
        {% for sum in sums -%}
        {{ sum }} over earlier as earlier_{{ loop.index }},
        {% endfor -%}
        gaps.purchase_date,
        gaps.gap_days

    from observations
    left join {{ ref('int_purchase_gaps_versioned') }} as gaps on {{ observable('gaps', 'purchase_date') }}

    window earlier as (
        partition by observations.customer_id, observations.observation_date
        order by gaps.purchase_date rows between unbounded preceding and 1 preceding
    )

),

rhythm as (

    select
        customer_id,
        observation_date,

        {{ days_between('min(purchase_date)', 'observation_date') }} as tenure_days,
        {{ days_between('max(purchase_date)', 'observation_date') }} as days_since_last,
        {{ lapse_limit(sums, var('at_risk_deviations'), var('at_risk_days')) }} as at_risk_after_days,
        {{ lapse_limit(sums, var('lapsed_deviations'), var('lapsed_days')) }} as lapsed_after_days,
        {{ days_between('max(purchase_date) filter (where gap_days > ' ~ lapse_limit(
            ['earlier_1', 'earlier_2', 'earlier_3'], var('lapsed_deviations'), var('lapsed_days')
        ) ~ ')', 'observation_date') }} as days_since_return

    from purchases

    group by customer_id, observation_date

),

features as (

    select
        customer_id,

        case
            when days_since_last is null then 'prospect'
            when days_since_last > lapsed_after_days then 'lapsed'
            when days_since_last > at_risk_after_days then 'at_risk'
            when days_since_return <= {{ var('won_back_days') }} then 'won_back'
            when tenure_days <= {{ var('new_days') }} then 'new'
            else 'active'
        end as lifecycle_stage,

        case when days_since_last is not null then cast(at_risk_after_days as double) end as at_risk_after_days,
        case when days_since_last is not null then cast(lapsed_after_days as double) end as lapsed_after_days,
        cast(days_since_return as bigint) as days_since_return,

        observation_date

    from rhythm

)

select * from features
