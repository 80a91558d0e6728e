-- The days from and until which we knew that a customer buys a category. A line counts from the day it became known, and no longer when
-- it was replaced or belongs to another customer.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with lines as (

    select * from {{ ref('int_invoice_lines_versioned') }}

    where customer_id is not null and quantity > 0 and {{ touched_buyers() }}

),

products as (

    select * from {{ ref('int_product_categories_versioned') }}

),

purchases as (

    select
        lines.customer_id,
        products.category,
        cast(greatest(lines.known_at, lines.invoiced_at, products.known_at) as date) as known_at,
        cast(least(lines.superseded_at, products.superseded_at) as date) as superseded_at

    from lines
    inner join products
        on
            lines.source_system = products.source_system
            and lines.product_key = products.product_key
            and {{ overlap('lines', 'products') }}

),

changes as (

    {{ knowledge_changes('purchases', 'customer_id, category') }}

),

counted as (

    select
        customer_id,
        category,
        known_at,
        sum(change) over history > 0 as is_bought,
        coalesce(sum(change) over (history rows between unbounded preceding and 1 preceding) > 0, false) as was_bought

    from changes

    window history as (partition by customer_id, category order by known_at)

),

bought as (

    select
        customer_id,
        category,

        known_at,
        lead(known_at) over (partition by customer_id, category order by known_at) as superseded_at,
        {{ this_build() }} as _built_at

    from counted

    where is_bought != was_bought

    qualify is_bought

)

select * from bought
