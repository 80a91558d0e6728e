-- A view: the versions lie in int_invoice_lines_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

newest_lines as (

    select
        source_system,
        invoice_id,
        line_no,
        customer_id,
        product_key,
        store_key,

        invoice_type,
        sales_channel,
        currency,

        quantity,
        net_amount,
        discount_amount,

        invoiced_date,

        invoiced_at,
        known_at

    from {{ ref('int_invoice_lines_versioned') }} as versions
    cross join as_of

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from newest_lines
