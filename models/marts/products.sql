with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

products as (

    select
        products.source_system,
        products.product_key,

        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        products.attributes,

        products.list_price,
        products.unit_cost

    from {{ ref('stg_invoices__products') }} as products
    cross join as_of

    where {{ known_as_of('products', 'as_of.as_of_date') }}

)

select * from products
