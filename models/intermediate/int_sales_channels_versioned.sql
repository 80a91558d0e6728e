-- Where a customer buys, from and until when we thought so. Credit notes take nothing back: the customer did buy there.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget(touched_people(by_key=['base_invoices__invoices'])) }}",
) }}

with purchases as (

    select
        keys.customer_id,
        invoices.sales_channel,
        cast(greatest(invoices.known_at, invoices.invoiced_at, keys.known_at) as date) as known_at,
        cast(least(invoices.superseded_at, keys.superseded_at) as date) as superseded_at

    from {{ ref('stg_invoices__invoices') }} as invoices
    inner join {{ ref('int_customer_keys_versioned') }} as keys on {{ owns('keys', 'invoices') }}

    where
        invoices.invoice_type = 'invoice'
        and invoices.sales_channel is not null
        and {{ touched_people(by_key=['base_invoices__invoices']) }}

),

periods as (

    {{ knowledge_periods('purchases', 'customer_id') }}

),

counted as (

    select
        periods.customer_id,
        purchases.sales_channel,
        count(*) as purchases,
        periods.known_at,
        periods.superseded_at

    from periods
    inner join purchases
        on
            periods.customer_id = purchases.customer_id
            and {{ known_in('purchases', 'periods') }}

    group by periods.customer_id, purchases.sales_channel, periods.known_at, periods.superseded_at

),

shares as (

    select
        customer_id,

        max_by(sales_channel, (purchases, sales_channel)) as main_sales_channel,
        cast(max(purchases) as double) / cast(sum(purchases) as double) as main_sales_channel_share,
        {% for channel in ['web', 'app', 'store'] -%}
        cast(coalesce(sum(purchases) filter (where sales_channel = '{{ channel }}'), 0) as double)
        / cast(sum(purchases) as double) as {{ channel }}_purchase_share,
        {% endfor -%}
        count(*) > 1 as is_multi_channel,

        known_at,
        superseded_at,
        {{ this_build() }} as _built_at

    from counted

    group by customer_id, known_at, superseded_at

)

select * from shares
