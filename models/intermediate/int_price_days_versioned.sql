-- What a customer paid on a day against list prices, or else against what they usually pay for the products, from and until when we knew it.
{#- Of all customers at once, 50 million lines by customer, product and day are beyond what the engine can spill. -#}
{{ config(materialized='history', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}", meta={'batch_by': 'customers'}) }}
{%- set product = 'customer_id, source_system, product_key, is_listed' %}

with lines as (

    select * from {{ ref('int_priced_lines_versioned') }}

    where {{ touched_buyers() }} and {{ customer_in_batch('customer_id') }}

),

amounts as (

    {{ knowledge_totals('lines', product ~ ', purchase_date', [
        'quantity', 'net_amount', 'list_amount', 'discounted_lines', 'discount_known_lines',
    ]) }}

),

product_days as (

    select
        *,
        1 as product_days,
        cast(ln(cast(net_amount as double) / cast(coalesce(list_amount, quantity) as double)) as decimal(18, 9)) as ln_price,
        cast(ln(cast(quantity as double)) as decimal(18, 9)) as ln_quantity

    from amounts

    where quantity > 0 and net_amount > 0

),

-- All that we knew of the customer and the product when the day became known.
products as (

    {{ knowledge_totals('product_days', product, ['product_days', 'ln_price', 'ln_quantity']) }}

),

-- Each day against the geometric means of the other days; on a single day there is nothing to compare with, which counts 0.
compared as (

    select
        days.* exclude (list_amount),
        coalesce(days.list_amount, 0) as list_amount,
        cast(days.discounted_lines > 0 as integer) as discounted_product_days,
        cast(days.discount_known_lines > 0 as integer) as discount_known_product_days,
        cast(products.product_days - 1 as double) as other_days,
        cast(products.ln_price - days.ln_price as double) / nullif(other_days, 0) as usual_ln_price,
        cast(days.ln_price as double) - usual_ln_price as price_change,
        cast(days.ln_quantity as double)
        - cast(products.ln_quantity - days.ln_quantity as double) / nullif(other_days, 0) as quantity_change,
        coalesce(days.list_amount, cast(exp(usual_ln_price) * cast(days.quantity as double) as decimal(18, 4)), 0) as reference_amount,
        case when reference_amount > 0 then days.net_amount else 0 end as compared_net_amount,
        case when days.is_listed then days.net_amount else 0 end as listed_net_amount,
        cast(other_days > 0 as integer) as compared_product_days,
        -- The fewer other days, the less a comparison says. So weighed, they add up to the squares around the mean (Welford 1962).
        coalesce(cast(other_days / (other_days + 1) * price_change * price_change as decimal(18, 9)), 0) as price_squares,
        coalesce(cast(other_days / (other_days + 1) * price_change * quantity_change as decimal(18, 9)), 0) as price_products

    from product_days as days
    inner join products using ({{ product }}, known_at)

),

days as (

    {{ knowledge_totals('compared', 'customer_id, purchase_date', [
        'product_days', 'discounted_product_days', 'discount_known_product_days', 'listed_net_amount', 'list_amount',
        'compared_net_amount', 'reference_amount', 'compared_product_days', 'price_squares', 'price_products',
    ]) }}

)

select *, {{ this_build() }} as _built_at from days

where product_days > 0
