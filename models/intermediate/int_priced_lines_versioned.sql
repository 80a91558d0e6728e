-- A view: a line beside its list price is cheap to compute, and 5 million of them are not cheap to keep twice.
{{ config(materialized='view') }}

-- What was paid for each sold line, beside the list price that held when it was sold: from and until which days it was what we knew.
with lines as (

    select
        *,
        greatest(known_at, invoiced_at) as sold_and_known_at

    from {{ ref('int_invoice_lines_versioned') }}

    -- Gifts have no price, and credit notes are no decision to buy.
    where customer_id is not null and invoice_type = 'invoice' and quantity > 0 and net_amount > 0

),

products as (

    select
        *,
        -- The oldest price that we know of holds for what was bought before it.
        case
            when row_number() over (partition by source_system, product_key order by known_at) > 1 then known_at
            else timestamp '0001-01-01'
        end as holds_from

    from {{ ref('stg_invoices__products') }}

),

listed as (

    select
        lines.*,
        nullif(products.list_price, 0) as list_price,
        greatest(lines.sold_and_known_at, products.known_at) as listed_at

    from lines
    left join products
        on
            lines.source_system = products.source_system
            and lines.product_key = products.product_key
            and products.holds_from <= lines.invoiced_at
            and coalesce(products.superseded_at, timestamp '9999-12-31') > lines.invoiced_at

),

versions as (

    select
        * exclude (known_at, superseded_at),
        cast(listed_at as date) as known_at,
        cast(superseded_at as date) as superseded_at

    from listed

    union all by name

    -- Until we know the product, it has no list price.
    select
        * exclude (known_at, superseded_at) replace (null as list_price),
        cast(sold_and_known_at as date) as known_at,
        cast(least(superseded_at, listed_at) as date) as superseded_at

    from listed

    where listed_at > sold_and_known_at

),

priced as (

    select
        source_system,
        invoice_id,
        line_no,
        customer_id,
        product_key,

        quantity,
        net_amount,
        list_price,
        cast(net_amount as double) / quantity as unit_price,
        discount_amount > 0 as is_discounted,
        invoiced_date,

        known_at,
        superseded_at

    from versions

    where coalesce(superseded_at > known_at, true)

)

select * from priced
