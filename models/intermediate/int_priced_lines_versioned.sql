-- A view: a line beside its list price is cheap to compute, and 5 million of them are not cheap to keep twice.
{{ config(materialized='view') }}

-- Every version of every sold line beside the list price that held when it was sold, with the days from and until which it was what we knew.
with lines as (

    select
        *,
        greatest(known_at, invoiced_at) as sold_and_known_at

    from {{ ref('int_invoice_lines_versioned') }}

    -- Gifts have no price, and credit notes are no decision to buy.
    where customer_id is not null and invoice_type = 'invoice' and quantity > 0 and net_amount > 0

),

prices as (

    select
        *,
        -- The oldest price that we know of holds for what was bought before it.
        {{ holds_from('product_key') }} as holds_from

    from {{ ref('stg_invoices__products') }}

    where list_price > 0

),

states as (

    select unnest([true, false]) as is_priced

),

-- Until we know the list price, a line has none: if that comes later, the line has two versions.
versions as (

    select
        lines.source_system,
        lines.invoice_id,
        lines.line_no,
        lines.customer_id,
        lines.product_key,

        lines.net_amount,
        -- As decimals, so that sums do not depend on the order of rows.
        cast(lines.quantity as decimal(18, 6)) as quantity,
        case when states.is_priced then nullif(cast(prices.list_price * lines.quantity as decimal(18, 4)), 0) end as list_amount,
        cast(coalesce(lines.discount_amount, 0) > 0 as integer) as discounted_lines,
        cast(lines.discount_amount is not null as integer) as discount_known_lines,
        lines.purchase_date,

        cast(greatest(lines.sold_and_known_at, case when states.is_priced then prices.known_at end) as date) as known_at,
        cast(least(lines.superseded_at, case when not states.is_priced then prices.known_at end) as date) as superseded_at

    from lines
    left join prices
        on
            lines.source_system = prices.source_system
            and lines.product_key = prices.product_key
            and prices.holds_from <= lines.invoiced_at
            and coalesce(prices.superseded_at, timestamp '9999-12-31') > lines.invoiced_at
    inner join states on states.is_priced or prices.known_at > lines.sold_and_known_at

)

select
    *,
    list_amount is not null as is_listed

from versions

-- A version of tomorrow that was replaced today was never what we knew.
where coalesce(superseded_at > known_at, true)
