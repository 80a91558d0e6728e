-- What a customer bought on a day, as it was known over time. A line adds its amounts on the day it became known and takes them
-- back on the day a newer version replaced it; the running sum is what we believed from then on.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_customers()) }}") }}

with lines as (

    select
        customer_id,
        purchase_date,

        1 as line_count,
        cast(coalesce(net_amount is null and quantity > 0 and invoice_type = 'invoice', false) as integer) as unknown_amount_count,
        net_amount,
        discount_amount,

        -- Dates, because observation dates start at midnight: known before one means known on an earlier day.
        cast(known_at as date) as known_at,
        cast(superseded_at as date) as superseded_at

    from {{ ref('int_invoice_lines_versioned') }}

    where customer_id is not null and {{ touched_customers() }}

),

versions as (

    {{ knowledge_totals('lines', 'customer_id, purchase_date', [
        'line_count', 'unknown_amount_count', 'net_amount', 'discount_amount',
    ]) }}

),

-- A day netted to zero or less is not a purchase; lines of unknown amount count as bought.
purchases as (

    select
        * replace (cast(line_count as bigint) as line_count, coalesce(discount_amount, 0) as discount_amount),
        {{ this_build() }} as _built_at

    from versions

    where net_amount > 0 or unknown_amount_count > 0

)

select * from purchases
