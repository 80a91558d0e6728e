-- What a product was filed under, from and until when we knew it. Versions that differ in price or attributes alone are one: else each of
-- its lines would have as many versions as the product, and a product that changes daily has hundreds.
-- A view: products are few beside the lines that it is read with.
{{ config(materialized='view') }}

with changes as (

    select
        source_system,
        product_key,
        category,
        brand,
        known_at

    from {{ ref('stg_invoices__products') }}

    window earlier as (partition by source_system, product_key order by known_at)

    qualify category is distinct from lag(category) over earlier or brand is distinct from lag(brand) over earlier

),

versions as (

    select
        *,
        lead(known_at) over (partition by source_system, product_key order by known_at) as superseded_at

    from changes

),

categorised as (

    select * from versions

    where category is not null

)

select * from categorised
