with products as (

    select
        source_system,
        product_key,

        product_name,
        category,
        subcategory,
        brand,
        attributes,

        list_price,
        unit_cost

    from {{ ref('stg_invoices__products') }}

    where superseded_at is null

)

select * from products
