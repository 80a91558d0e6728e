-- What a customer paid against the list price, or else against their own median price of the product, from and until when we knew it.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with lines as (

    select * from {{ ref('int_priced_lines_versioned') }}

    where {{ touched_buyers() }}

),

periods as (

    {{ knowledge_periods('lines', 'customer_id') }}

),

-- A product without list price that was bought once has nothing to be compared with.
own_prices as (

    select
        periods.customer_id,
        lines.source_system,
        lines.product_key,
        median(lines.unit_price) as unit_price,
        periods.known_at

    from periods
    inner join lines on periods.customer_id = lines.customer_id and {{ known_in('lines', 'periods') }}

    where lines.list_price is null

    group by periods.customer_id, lines.source_system, lines.product_key, periods.known_at

    having count(*) > 1

),

compared as (

    select
        periods.*,
        lines.* exclude (customer_id, known_at, superseded_at),
        coalesce(cast(lines.list_price as double), own_prices.unit_price) as reference_price,
        -- In percent: cents and exchange rates make no change of price.
        cast(ln(lines.unit_price / reference_price) as decimal(18, 2)) as ln_price,
        case when reference_price is not null then cast(ln(lines.quantity) as decimal(18, 6)) end as ln_quantity

    from periods
    inner join lines on periods.customer_id = lines.customer_id and {{ known_in('lines', 'periods') }}
    left join own_prices
        on
            periods.customer_id = own_prices.customer_id
            and periods.known_at = own_prices.known_at
            and lines.source_system = own_prices.source_system
            and lines.product_key = own_prices.product_key
            and lines.list_price is null

),

by_day as (

    select
        customer_id,
        invoiced_date,
        known_at,
        superseded_at,

        count(*) as lines,
        count(*) filter (where is_discounted) as discounted_lines,
        sum(net_amount) filter (where list_price is not null) as paid_amount,
        sum(cast(list_price * quantity as decimal(18, 4))) as list_amount,
        sum(net_amount) filter (where reference_price is not null) as compared_amount,
        sum(cast(reference_price * quantity as decimal(18, 4))) as reference_amount,
        count(ln_price) as n,
        sum(ln_price) as x,
        sum(ln_quantity) as y,
        sum(ln_price * ln_price) as xx,
        sum(ln_price * ln_quantity) as xy

    from compared

    group by customer_id, invoiced_date, known_at, superseded_at

),

prices as (

    select
        customer_id,

        cast(sum(lines) as bigint) as priced_lines,
        cast(sum(n) as bigint) as compared_lines,
        cast(sum(discounted_lines) as double) / cast(sum(lines) as double) as discounted_line_share,
        cast(sum(paid_amount) as double) / cast(sum(list_amount) as double) as price_over_list,
        max_by(cast(compared_amount as double) / cast(reference_amount as double), invoiced_date) as last_price_over_reference,
        -- Squares and products of deviations from the customer's own means; as decimals, so that sums do not depend on the order of rows.
        {% for squares, product, other in [('price_squares', 'xx', 'x'), ('price_products', 'xy', 'y')] -%}
        cast(
            cast(sum({{ product }}) as double) - cast(sum(x) as double) * cast(sum({{ other }}) as double) / nullif(sum(n), 0)
            as decimal(18, 9)
        ) as {{ squares }},
        {% endfor %}
        known_at,
        superseded_at,
        {{ this_build() }} as _built_at

    from by_day

    group by customer_id, known_at, superseded_at

)

select * from prices
