{%- set stages = ['aware', 'interested', 'desiring', 'bought', 'cared_for', 'advocating'] -%}
with observations as (

    {{ new_observations() }}

),

entries as (

    select
        observations.customer_id,
        observations.observation_date,
        stages.stage,
        stages.stage_rank,
        {{ days_between('stages.entered_on', 'observations.observation_date') }} as age_days

    from observations
    left join {{ ref('int_aida_stages_entered') }} as stages
        on
            observations.customer_id = stages.customer_id
            and stages.entered_on < observations.observation_date

),

features as (

    select
        customer_id,

        max_by(stage, stage_rank) as aida_stage,

        cast(coalesce(max(stage_rank), 0) as bigint) as aida_stage_rank,
        cast(max_by(age_days, stage_rank) as bigint) as days_in_aida_stage,
        {% for stage in stages -%}
        cast(max(age_days) filter (where stage = '{{ stage }}') as bigint) as days_since_{{ stage }},
        {% endfor %}
        observation_date

    from entries

    group by customer_id, observation_date

)

select * from features
