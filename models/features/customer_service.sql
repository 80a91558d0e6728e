with observations as (

    {{ new_observations() }}

),

cases as (

    select
        observations.customer_id,
        observations.observation_date,
        cases.opened_at,
        -- A case that came as one row, long closed, was rated when it ended and not when it was opened.
        case when coalesce(cases.closed_at < observations.observation_date, true) then cases.satisfaction end as satisfaction,
        cases.source_system || ' ' || cases.case_id as case_key,
        coalesce(cases.closed_at >= observations.observation_date, true) as is_open,
        {{ days_between('cast(cases.opened_at as date)', 'observations.observation_date') }} as age_days

    from observations
    inner join {{ ref('int_cases_versioned') }} as cases on {{ observable('cases', 'opened_at') }}

),

service as (

    select
        customer_id,
        observation_date,

        count(*) filter (where age_days <= 90) as cases_opened_past_90_days,
        count(*) filter (where age_days <= 365) as cases_opened_past_365_days,
        count(*) as cases_opened_ever,
        count(*) filter (where is_open) as cases_open,
        min(age_days) as days_since_last_case,
        max(age_days) filter (where is_open) as days_longest_case_open,
        -- As decimals, so that the mean does not depend on the order of rows.
        sum(cast(satisfaction as decimal(18, 9))) filter (where age_days <= 365) as satisfaction_sum,
        count(satisfaction) filter (where age_days <= 365) as satisfaction_count,
        max_by(satisfaction, (opened_at, case_key)) filter (where satisfaction is not null) as satisfaction_last

    from cases

    group by customer_id, observation_date

),

features as (

    select
        observations.customer_id,

        {% for count in ['cases_opened_past_90_days', 'cases_opened_past_365_days', 'cases_opened_ever', 'cases_open'] -%}
        coalesce(service.{{ count }}, 0) as {{ count }},
        {% endfor -%}
        cast(service.days_since_last_case as bigint) as days_since_last_case,
        cast(service.days_longest_case_open as bigint) as days_longest_case_open,

        cast(service.satisfaction_sum as double) / nullif(service.satisfaction_count, 0) as satisfaction_mean_past_365_days,
        service.satisfaction_last,

        observations.observation_date

    from observations
    left join service using (customer_id, observation_date)

)

select * from features
