-- Which record each value of the golden record comes from.
with records as (

    select * from {{ ref('int_customer_records_ranked') }}

    where not is_deleted

),

sources as (

    {% for column in golden_columns() %}
    select
        customer_id,
        '{{ column }}' as column_name,
        min_by(source_system, place) as source_system,
        min_by(customer_key, place) as customer_key,
        min_by(known_at, place) as known_at

    from records

    where {{ column }} is not null

    group by customer_id
    {{ 'union all' if not loop.last }}

    {% endfor %}

)

select * from sources
