-- A view: the versions lie in int_invoice_lines_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

known_lines as (

    select
        versions.source_system,
        versions.invoice_id,
        versions.line_no,
        versions.customer_id,
        versions.product_key,
        versions.store_key,
        versions.credited_invoice_id,
        versions.credited_line_no,

        versions.invoice_type,
        versions.sales_channel,
        versions.currency,

        versions.quantity,
        versions.net_amount,
        versions.discount_amount,
        versions.net_amount_in_currency,
        cast(versions.net_amount - versions.quantity * products.unit_cost as decimal(18, 4)) as margin_amount,

        versions.invoiced_date,
        versions.purchase_date,

        versions.invoiced_at,
        versions.known_at

    from {{ ref('int_invoice_lines_versioned') }} as versions
    cross join as_of
    left join {{ ref('products') }} as products
        on
            versions.source_system = products.source_system
            and versions.product_key = products.product_key

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from known_lines
