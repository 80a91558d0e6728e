-- Which categories a customer likes, from and until when we thought so: the one bought on the most days first; of equals the one bought last.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with histories as (

    select * from {{ ref('int_category_histories_versioned') }}

    where {{ touched_buyers() }}

),

periods as (

    {{ knowledge_periods('histories', 'customer_id') }}

),

ranked as (

    select
        histories.* exclude (known_at, superseded_at, _built_at),
        row_number() over (
            partition by periods.customer_id, periods.known_at
            order by histories.purchase_days desc, histories.last_purchase_date desc, histories.category asc
        ) as place,
        periods.known_at,
        periods.superseded_at

    from periods
    inner join histories
        on
            periods.customer_id = histories.customer_id
            and {{ known_in('histories', 'periods') }}

),

tastes as (

    select
        customer_id,

        {% for place, name in [(1, 'favourite'), (2, 'second')] -%}
        max(category) filter (where place = {{ place }}) as {{ name }}_category,
        max(purchase_days) filter (where place = {{ place }}) as {{ name }}_purchase_days,
        max(last_purchase_date) filter (where place = {{ place }}) as {{ name }}_last_purchase_date,
        {% endfor -%}
        max(main_brand_share) filter (where place = 1) as favourite_main_brand_share,
        cast(sum(purchase_days) as bigint) as category_days,
        -- As decimals, so that the sum does not depend on the order of rows.
        cast(sum(cast(purchase_days * ln(purchase_days) as decimal(18, 9))) as double) as sum_of_n_ln_n,
        list_sort(list(category)) as categories,
        list_sort(list(last_purchase_date)) as last_purchase_dates,

        known_at,
        superseded_at,
        {{ this_build() }} as _built_at

    from ranked

    group by customer_id, known_at, superseded_at

)

select * from tastes
