-- Every candidate of every decision, chosen or not. A second decision on the same date replaces the first.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    full_refresh=false,
    pre_hook="{{ forget_decision_of_this_date() }}",
) }}

with ranked as (

    select * from {{ ref('ranked_candidates') }}

),

log as (

    select
        customer_id,
        as_of_date,
        action_id,
        channel,
        model_version,

        exclusion_reasons,

        response_propensity,
        uplift,
        expected_responses,
        -- The policy takes the best survivor without chance.
        cast(case when rank = 1 then 1 else 0 end as double) as logging_probability,
        cast(value as double) as value,
        cast(cost as double) as cost,
        cast(net_value as double) as net_value,
        cast(rank as integer) as rank,

        coalesce(rank = 1, false) as is_chosen

    from ranked

)

select * from log
