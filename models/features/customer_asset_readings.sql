with observations as (

    {{ new_observations() }}

),

-- Only of what the customer held on the observation date. On their own: with them in one join, the engine would begin with readings by date.
assets as (

    select
        observations.customer_id,
        observations.observation_date,
        assets.source_system,
        assets.asset_id

    from observations
    inner join {{ ref('int_assets_versioned') }} as assets
        on
            {{ observable('assets', 'acquired_at') }}
            and coalesce(assets.released_at >= observations.observation_date, true)

),

-- Values as decimals, so that sums do not depend on the order of rows.
readings as (

    select
        assets.customer_id,
        assets.observation_date,
        readings.* exclude (event_at, known_at, superseded_at, _built_at),
        cast(readings.value as decimal(24, 8)) as y,
        -{{ days_between('cast(readings.measured_at as date)', 'assets.observation_date') }} as x

    from assets
    inner join {{ ref('stg_crm__asset_readings') }} as readings
        on
            assets.source_system = readings.source_system
            and assets.asset_id = readings.asset_id
            and readings.measured_at < assets.observation_date
            and readings.measured_at >= {{ add_days('assets.observation_date', -365) }}
            and {{ known_as_of('readings', 'assets.observation_date') }}

    -- What no device can mean is beyond what such a decimal holds, too.
    where abs(readings.value) < 1e15

),

-- One metric of one asset stands for all: the one named in main_reading, else the one read most often.
main_readings as (

    select
        customer_id,
        observation_date,
        metric,
        max_by(value, measured_at) as newest_value,
        count(*) as reading_count,
        cast(count(*) * sum(x * y) - sum(x) * sum(y) as double) / nullif(count(*) * sum(x * x) - sum(x) * sum(x), 0) as slope_per_day

    from readings

    group by customer_id, observation_date, source_system, asset_id, metric

    qualify
        row_number() over (
            partition by customer_id, observation_date
            order by
                metric = '{{ var("main_reading") or "" }}' desc, reading_count desc,
                metric asc, source_system asc, asset_id asc
        ) = 1

),

features as (

    select
        observations.customer_id,

        main_readings.metric as main_reading,

        coalesce(main_readings.reading_count, 0) as main_readings_past_365_days,
        main_readings.newest_value as main_reading_newest,
        main_readings.slope_per_day * 30 as main_reading_change_per_30_days,

        observations.observation_date

    from observations
    left join main_readings using (customer_id, observation_date)

)

select * from features
