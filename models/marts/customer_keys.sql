with keys as (

    select
        versions.customer_id,
        versions.source_system,
        versions.customer_key,

        keys.known_at

    from {{ ref('int_customer_keys_versioned') }} as versions
    inner join {{ ref('int_customer_keys_united') }} as keys on versions.record_id = keys.record_id

    cross join {{ ref('int_as_of_date') }} as as_of

    where
        -- Null: only undated records name the customer.
        coalesce(versions.known_at, date '0001-01-01') < as_of.as_of_date
        and coalesce(versions.superseded_at, date '9999-12-31') >= as_of.as_of_date

)

select * from keys
