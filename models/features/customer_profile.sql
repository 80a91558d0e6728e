with observations as (

    {{ new_observations() }}

),

keys as (

    select * from {{ ref('customer_keys') }}

),

records as (

    select
        keys.customer_id,
        records.country,
        records.acquisition_channel,
        records.attributes,
        records.birth_date,
        {% if var('use_undated_attributes') -%}
        coalesce(records.known_at, timestamp '1900-01-01') as known_at,
        {%- else -%}
        records.known_at,
        {%- endif %}
        records.superseded_at

    from {{ ref('stg_crm__customers') }} as records
    inner join keys
        on
            records.source_system = keys.source_system
            and records.customer_key = keys.customer_key

),

first_known as (

    select
        customer_id,
        cast(min(known_at) as date) as first_known_date

    from keys

    group by customer_id

),

features as (

    select
        observations.customer_id,

        records.country,
        records.acquisition_channel,
        records.attributes,

        cast({{ days_between('first_known.first_known_date', 'observations.observation_date') }} as bigint) as known_days,
        cast({{ days_between('records.birth_date', 'observations.observation_date') }} as double) / 365.25 as age_years,

        observations.observation_date

    from observations
    inner join first_known on observations.customer_id = first_known.customer_id
    -- An undated record has no known_at, so it is never joined.
    left join records
        on
            observations.customer_id = records.customer_id
            and {{ known_as_of('records', 'observations.observation_date') }}

)

select * from features
