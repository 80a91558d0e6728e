-- What a customer had bought of each category, and of all together (category null), from and until when we knew it. Kept as running
-- sums, so that any moment is one look-up away. In the order in which it is read: a batch of customers lies in few files.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with category_days as (

    select
        customer_id,
        category,
        coalesce(net_amount, 0) as net_amount,
        1 as category_days,
        known_at,
        superseded_at

    from {{ ref('int_category_days_versioned') }}

    where {{ touched_buyers() }}

),

of_one_and_all as (

    select * from category_days

    union all by name

    select * replace (null as category) from category_days

),

totals as (

    {{ knowledge_totals('of_one_and_all', 'customer_id, category', ['net_amount', 'category_days']) }}

)

select
    *,
    {{ this_build() }} as _built_at

from totals

order by customer_id, category, known_at
