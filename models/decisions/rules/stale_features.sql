with newest_features as (

    select
        customer_id,
        max(observation_date) as observation_date

    from {{ ref('customer_rhythm') }}

    group by customer_id

)

select
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
left join newest_features on candidates.customer_id = newest_features.customer_id

where
    newest_features.observation_date is null
    or {{ add_days('newest_features.observation_date', var('max_feature_age_days')) }} < candidates.as_of_date
