-- A view: a line beside its product is cheap to compute, and 5 million of them are not cheap to keep twice.
{{ config(materialized='view') }}

-- Every version of every line under every version of its product, with the days from and until which it was what we knew.
with lines as (

    select * from {{ ref('int_invoice_lines_versioned') }}

    where customer_id is not null

),

products as (

    select * from {{ ref('int_product_categories_versioned') }}

),

categorised as (

    select
        lines.source_system,
        lines.invoice_id,
        lines.line_no,
        lines.customer_id,
        products.category,
        products.brand,

        lines.net_amount,
        lines.quantity > 0 and lines.invoice_type = 'invoice' as is_sale,
        lines.purchase_date,

        cast(greatest(lines.known_at, lines.invoiced_at, products.known_at) as date) as known_at,
        cast(least(lines.superseded_at, products.superseded_at) as date) as superseded_at

    from lines
    inner join products
        on
            lines.source_system = products.source_system
            and lines.product_key = products.product_key
            and {{ overlap('lines', 'products') }}

),

-- A version of tomorrow that was replaced today was never what we knew.
held as (

    select * from categorised

    where coalesce(superseded_at > known_at, true)

)

select * from held
