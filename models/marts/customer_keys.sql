with keys as (

    select
        customer_id,
        source_system,
        customer_key,

        known_at

    from {{ ref('int_customer_keys_united') }}

)

select * from keys
