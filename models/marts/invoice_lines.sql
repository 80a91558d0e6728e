-- A view: the versions lie in int_invoice_lines_versioned, and the newest of each is the truth.
{{ config(materialized='view') }}

with newest_lines as (

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

    from {{ ref('int_invoice_lines_versioned') }}

    where superseded_at is null

)

select * from newest_lines
