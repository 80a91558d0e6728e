with observations as (

    {{ new_observations() }}

),

profiles as (

    select * from {{ ref('int_customer_profiles_versioned') }}

),

-- A customer was first known when its oldest record was, whose id it bears.
oldest_records as (

    select
        record_id,
        cast(known_at as date) as first_known_date

    from {{ ref('int_customer_keys_united') }}

),

features as (

    select
        observations.customer_id,

        profiles.country,
        profiles.acquisition_channel,
        profiles.attributes,

        cast({{ days_between('oldest_records.first_known_date', 'observations.observation_date') }} as bigint) as known_days,
        cast({{ days_between('profiles.birth_date', 'observations.observation_date') }} as double) / 365.25 as age_years,

        observations.observation_date

    from observations
    inner join oldest_records on observations.customer_id = oldest_records.record_id
    left join profiles on {{ observable('profiles') }}

)

select * from features
