with keys as (

    select
        versions.customer_id,
        versions.source_system,
        versions.customer_key,

        keys.known_at

    from {{ ref('int_customer_keys_versioned') }} as versions
    inner join {{ ref('int_customer_keys_united') }} as keys on versions.record_id = keys.record_id

    where versions.superseded_at is null

)

select * from keys
