-- Every version of every invoice under every version of its customer's identity, with what its lines came to: known from when all that
-- was known, until any of it was replaced.
{%- set rates_mark = content_mark('stg_invoices__exchange_rates', lake_currency()) -%}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_invoices()) }}") }}

with invoices as (

    select * from {{ ref('stg_invoices__invoices') }}

    where {{ touched_invoices() }}

),

-- An invoice begins without lines.
amounts as (

    select
        source_system,
        invoice_id,
        0 as line_count,
        known_at

    from invoices

    union all by name

    select
        *,
        1 as line_count,
        cast(net_amount is not null as integer) as known_amounts,
        cast(discount_amount is not null as integer) as known_discounts

    from {{ ref('int_invoice_lines_versioned') }}

    where {{ touched_invoices() }}

),

totals as (

    {{ knowledge_totals('amounts', 'source_system, invoice_id', [
        'line_count', 'known_amounts', 'net_amount', 'known_discounts', 'discount_amount',
    ]) }}

),

versions as (

    select
        invoices.source_system,
        invoices.invoice_id,
        customer_keys.customer_id,
        invoices.credited_invoice_id,
        invoices.store_key,

        invoices.invoice_type,
        invoices.sales_channel,
        invoices.currency,

        cast(totals.line_count as bigint) as line_count,
        case when totals.known_amounts > 0 then cast(totals.net_amount as decimal(38, 4)) end as net_amount,
        case when totals.known_discounts > 0 then cast(totals.discount_amount as decimal(38, 4)) end as discount_amount,

        invoices.invoiced_at,
        invoices.known_at as invoice_known_at,
        greatest(invoices.known_at, customer_keys.known_at, totals.known_at) as known_at,
        least(invoices.superseded_at, customer_keys.superseded_at, totals.superseded_at) as superseded_at,
        '{{ rates_mark }}' as _rates,
        {{ this_build() }} as _built_at

    from invoices
    inner join totals using (source_system, invoice_id)
    -- A guest's invoice has no key and joins nobody.
    left join {{ ref('int_customer_keys_versioned') }} as customer_keys
        on
            {{ owns('customer_keys', 'invoices') }}
            and {{ overlap('customer_keys', 'totals') }}

    where {{ overlap('invoices', 'totals') }}

)

select * from versions
