-- What a person has only one of, as each record first showed it. A value that is corrected later does not count: who was joined in the past
-- must not change with it.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

traits as (

    select
        keys.record_id,

        {% for column in var('one_per_person') -%}
        min_by(records.{{ column }}, records.known_at) filter (where records.{{ column }} is not null) as {{ column }},
        min(records.known_at) filter (where records.{{ column }} is not null) as {{ column }}_known_at,
        {% endfor -%}
        min(records.known_at) as known_at

    from {{ ref('stg_crm__customers') }} as records
    inner join keys
        on
            records.source_system = keys.source_system
            and records.customer_key = keys.customer_key

    where records.known_at is not null

    group by keys.record_id

)

select * from traits
