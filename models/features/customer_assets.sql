with observations as (

    {{ new_observations() }}

),

-- What the customer held on the observation date; an end that was announced has not come yet.
assets as (

    select
        observations.customer_id,
        observations.observation_date,
        {{ days_between('cast(assets.acquired_at as date)', 'observations.observation_date') }} as age_days,
        {{ days_between('observations.observation_date', 'assets.contract_ends_on') }} as days_to_contract_end

    from observations
    inner join {{ ref('int_assets_versioned') }} as assets
        on
            {{ observable('assets', 'acquired_at') }}
            and coalesce(assets.released_at >= observations.observation_date, true)

),

held as (

    select
        customer_id,
        observation_date,
        count(*) as assets_held,
        max(age_days) as oldest_age_days,
        min(age_days) as newest_age_days,
        min(days_to_contract_end) filter (where days_to_contract_end >= 0) as days_to_contract_end,
        count(*) filter (where days_to_contract_end < 0) as past_contract_end

    from assets

    group by customer_id, observation_date

),

features as (

    select
        observations.customer_id,

        coalesce(held.assets_held, 0) as assets_held,
        cast(held.oldest_age_days as bigint) as oldest_asset_age_days,
        cast(held.newest_age_days as bigint) as newest_asset_age_days,
        cast(held.days_to_contract_end as bigint) as days_to_contract_end,
        coalesce(held.past_contract_end, 0) as assets_past_contract_end,

        observations.observation_date

    from observations
    left join held using (customer_id, observation_date)

)

select * from features
