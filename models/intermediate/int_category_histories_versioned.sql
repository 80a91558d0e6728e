-- What we knew of a customer's purchases in a category, from and until when.
{#- Of all customers at once, each period beside all days that were known in it is beyond what the engine can spill. -#}
{{ config(materialized='history', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}", meta={'batch_by': 'customers'}) }}

with category_days as (

    select * from {{ ref('int_category_days_versioned') }}

    where {{ touched_buyers() }} and {{ customer_in_batch('customer_id') }}

),

brand_lines as (

    select * from {{ ref('int_category_lines_versioned') }}

    where is_sale and brand is not null and {{ touched_buyers() }} and {{ customer_in_batch('customer_id') }}

),

periods as (

    {{ knowledge_periods('category_days', 'customer_id, category') }}

),

brands as (

    select
        periods.customer_id,
        periods.category,
        brand_lines.brand,
        count(*) as lines,
        periods.known_at

    from periods
    inner join brand_lines using (customer_id, category)

    where {{ known_in('brand_lines', 'periods') }}

    group by periods.customer_id, periods.category, brand_lines.brand, periods.known_at

),

brand_shares as (

    select
        customer_id,
        category,
        known_at,
        cast(max(lines) as double) / cast(sum(lines) as double) as main_brand_share

    from brands

    group by customer_id, category, known_at

),

histories as (

    select
        periods.customer_id,
        periods.category,
        count(*) as purchase_days,
        min(category_days.purchase_date) as first_purchase_date,
        max(category_days.purchase_date) as last_purchase_date,
        periods.known_at,
        periods.superseded_at

    from periods
    inner join category_days using (customer_id, category)

    where {{ known_in('category_days', 'periods') }}

    group by periods.customer_id, periods.category, periods.known_at, periods.superseded_at

)

select
    histories.*,
    brand_shares.main_brand_share,
    {{ this_build() }} as _built_at

from histories
left join brand_shares using (customer_id, category, known_at)
