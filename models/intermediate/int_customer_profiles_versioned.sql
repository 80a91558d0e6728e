-- The attributes that features read, per customer, as they were known over time: at each moment at which a record of the customer
-- changed, the most trusted value, and of equally trusted ones the newest.
with records as (

    select
        customer_id,
        source_system,
        customer_key,
        priority,
        country,
        acquisition_channel,
        attributes,
        birth_date,
        {% if var('use_undated_attributes') -%}
        coalesce(known_at, timestamp '1900-01-01') as known_at,
        {%- else -%}
        known_at,
        {%- endif %}
        superseded_at

    from {{ ref('int_customer_records_versioned') }}

    where not coalesce(is_deleted, false)

),

periods as (

    {{ knowledge_periods('records', 'customer_id') }}

),

ranked as (

    select
        periods.customer_id,
        records.country,
        records.acquisition_channel,
        records.attributes,
        records.birth_date,
        periods.known_at,
        periods.superseded_at,
        row_number() over (
            partition by periods.customer_id, periods.known_at
            order by records.priority asc, records.known_at desc, records.source_system asc, records.customer_key asc
        ) as place

    from periods
    inner join records
        on
            periods.customer_id = records.customer_id
            and {{ known_in('records', 'periods') }}

),

profiles as (

    select
        customer_id,

        {% for column in ['country', 'acquisition_channel', 'attributes', 'birth_date'] -%}
        min_by({{ column }}, place) filter (where {{ column }} is not null) as {{ column }},
        {% endfor %}
        known_at,
        superseded_at

    from ranked

    group by customer_id, known_at, superseded_at

)

select * from profiles
