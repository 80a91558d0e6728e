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

versions as (

    {{ knowledge_totals('lines', 'customer_id, category, purchase_date', ['unknown_amount_count', 'net_amount']) }}

),

-- A day netted to zero or less is not a purchase; lines of unknown amount count as bought.
purchases as (

    select
        *,
        {{ this_build() }} as _built_at

    from versions

    where net_amount > 0 or unknown_amount_count > 0

)

select * from purchases
