-- The CRM records of each customer at present, the one that is believed first: by the priority of its source, then the newest.
with records as (

    select records.*

    from {{ ref('int_customer_records_versioned') }} as records
    cross join {{ ref('int_as_of_date') }} as as_of

    where
        coalesce(records.known_at, date '0001-01-01') < as_of.as_of_date
        and coalesce(records.superseded_at, date '9999-12-31') >= as_of.as_of_date

),

ranked as (

    select
        * exclude (is_deleted),
        coalesce(is_deleted, false) as is_deleted,
        -- An undated record may be of any age, so it comes last.
        row_number() over (
            partition by customer_id
            order by priority asc, known_at desc nulls last, source_system asc, customer_key asc
        ) as place

    from records

)

select * from ranked
