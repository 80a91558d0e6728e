-- A view: the versions lie in int_invoices_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

known_invoices as (

    select
        versions.source_system,
        versions.invoice_id,
        versions.customer_id,
        versions.credited_invoice_id,
        versions.store_key,

        versions.invoice_type,
        versions.sales_channel,
        versions.currency,

        versions.line_count,
        versions.net_amount,
        versions.discount_amount,

        versions.invoiced_at,
        versions.invoice_known_at as known_at

    from {{ ref('int_invoices_versioned') }} as versions
    cross join as_of

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from known_invoices
