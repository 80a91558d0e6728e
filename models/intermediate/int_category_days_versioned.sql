-- The days on which a customer bought a category, as they were known over time. Like purchase days: a line adds its amount on the day it
-- became known and takes it back on the day it was replaced.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with lines as (

    select
        *,
        cast(is_sale and net_amount is null as integer) as unknown_amount_count

    from {{ ref('int_category_lines_versioned') }}

    where {{ touched_buyers() }}

),

changes as (

    select
        * exclude (superseded_at),
        1 as direction

    from lines

    union all by name

    select
        * exclude (known_at, superseded_at),
        superseded_at as known_at,
        -1 as direction

    from lines

    where superseded_at is not null

),

changes_by_day as (

    select
        customer_id,
        category,
        purchase_date,
        known_at,

        sum(direction * unknown_amount_count) as unknown_amount_count,
        sum(direction * net_amount) as net_amount

    from changes

    group by customer_id, category, purchase_date, known_at

),

versions as (

    select
        customer_id,
        category,
        purchase_date,

        sum(unknown_amount_count) over so_far as unknown_amount_count,
        sum(net_amount) over so_far as net_amount,

        known_at,
        lead(known_at) over (partition by customer_id, category, purchase_date order by known_at) as superseded_at,
        {{ this_build() }} as _built_at

    from changes_by_day

    window so_far as (partition by customer_id, category, purchase_date order by known_at)

),

-- A day netted to zero or less is not a purchase; lines of unknown amount count as bought.
purchases as (

    select * from versions

    where net_amount > 0 or unknown_amount_count > 0

)

select * from purchases
