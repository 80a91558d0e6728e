-- The day from which we knew that a customer buys a category.
with lines as (

    select * from {{ ref('int_invoice_lines_versioned') }}

    where customer_id is not null and quantity > 0

),

products as (

    select * from {{ ref('stg_invoices__products') }}

),

first_purchases as (

    select
        lines.customer_id,
        products.category,

        cast(min(greatest(lines.known_at, lines.invoiced_at, products.known_at)) as date) as known_at

    from lines
    inner join products
        on
            lines.source_system = products.source_system
            and lines.product_key = products.product_key

    where products.category is not null

    group by lines.customer_id, products.category

)

select * from first_purchases
