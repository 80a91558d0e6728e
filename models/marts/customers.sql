with keys as (

    select * from {{ ref('customer_keys') }}

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

-- The newest version that was known at the as-of date; an undated record is kept, but nothing with a past reads it.
records as (

    select records.*

    from {{ ref('stg_crm__customers') }} as records
    cross join as_of

    where
        (records.known_at < as_of.as_of_date or records.known_at is null)
        and (records.superseded_at is null or records.superseded_at >= as_of.as_of_date)

),

customers as (

    select
        keys.customer_id,

        records.email,
        records.phone,
        records.loyalty_key,
        records.full_name,
        records.country,
        records.postal_code,
        records.city,
        records.acquisition_channel,
        records.attributes,

        records.source_system is not null as has_crm_record,
        coalesce(records.is_deleted, false) as is_deleted,

        records.birth_date,

        records.created_at,
        keys.known_at as first_known_at

    from keys
    left join records
        on
            keys.source_system = records.source_system
            and keys.customer_key = records.customer_key

)

select * from customers
