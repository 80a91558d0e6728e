{%- set golden_columns = golden_columns() -%}
with keys as (

    select
        customer_id,

        min(known_at) as first_known_at

    from {{ ref('customer_keys') }}

    group by customer_id

),

records as (

    select * from {{ ref('int_customer_records_ranked') }}

),

-- A deleted record lends no value, and a customer is deleted when all its records are.
golden as (

    select
        customer_id,

        {% for column in golden_columns -%}
        min_by({{ column }}, place) filter (where {{ column }} is not null and not is_deleted) as {{ column }},
        {% endfor -%}
        bool_and(is_deleted) as is_deleted

    from records

    group by customer_id

),

customers as (

    select
        keys.customer_id,

        golden.email,
        golden.phone,
        golden.loyalty_key,
        golden.full_name,
        golden.country,
        golden.postal_code,
        golden.city,
        golden.acquisition_channel,
        golden.attributes,

        golden.customer_id is not null as has_crm_record,
        coalesce(golden.is_deleted, false) as is_deleted,

        golden.birth_date,

        golden.created_at,
        keys.first_known_at

    from keys
    left join golden on keys.customer_id = golden.customer_id

)

select * from customers
