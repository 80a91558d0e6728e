-- What a customer bought on a day, as it was known over time. A line adds its amounts on the day it became known and takes them
-- back on the day a newer version replaced it; the running sum is what we believed from then on.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_customers()) }}") }}

with lines as (

    select * from {{ ref('int_invoice_lines_versioned') }}

    where customer_id is not null and {{ touched_customers() }}

),

changes as (

    select
        customer_id,
        purchase_date,
        cast(known_at as date) as known_at,
        1 as direction,
        net_amount is null and quantity > 0 and invoice_type = 'invoice' as is_bought_for_unknown_amount,
        net_amount,
        discount_amount

    from lines

    union all

    select
        customer_id,
        purchase_date,
        cast(superseded_at as date) as known_at,
        -1 as direction,
        net_amount is null and quantity > 0 and invoice_type = 'invoice' as is_bought_for_unknown_amount,
        net_amount,
        discount_amount

    from lines

    where superseded_at is not null

),

changes_by_day as (

    select
        customer_id,
        purchase_date,
        known_at,

        sum(direction) as line_count,
        sum(case when is_bought_for_unknown_amount then direction else 0 end) as unknown_amount_count,
        sum(direction * net_amount) as net_amount,
        sum(direction * discount_amount) as discount_amount

    from changes

    group by customer_id, purchase_date, known_at

),

versions as (

    select
        customer_id,
        purchase_date,

        cast(sum(line_count) over so_far as bigint) as line_count,
        sum(unknown_amount_count) over so_far as unknown_amount_count,
        sum(net_amount) over so_far as net_amount,
        coalesce(sum(discount_amount) over so_far, 0) as discount_amount,

        -- Dates, because observation dates start at midnight: known before one means known on an earlier day.
        known_at,
        lead(known_at) over (partition by customer_id, purchase_date order by known_at) as superseded_at,
        {{ this_build() }} as _built_at

    from changes_by_day

    window so_far as (partition by customer_id, purchase_date order by known_at)

),

-- A day netted to zero or less is not a purchase; lines of unknown amount count as bought.
purchases as (

    select * from versions

    where net_amount > 0 or unknown_amount_count > 0

)

select * from purchases
