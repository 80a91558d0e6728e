-- Every version of every line under every version of its invoice and of its customer's identity: known from when all were known, until
-- one was replaced. A line belongs to the customer that its key belonged to at the time, so a merge changes nothing before its day.
{%- set rates_mark = content_mark('stg_invoices__exchange_rates', lake_currency()) -%}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_invoices()) }}") }}

with invoices as (

    select
        *,
        cast(invoiced_at as date) as invoiced_date

    from {{ ref('stg_invoices__invoices') }}

    where {{ touched_invoices() }}

),

lines as (

    select * from {{ ref('stg_invoices__lines') }}

    where {{ touched_invoices() }}

),

{{ credits('invoices') }},

versions as (

    select
        lines.source_system,
        lines.invoice_id,
        lines.line_no,
        customer_keys.customer_id,
        lines.product_key,
        invoices.store_key,
        invoices.credited_invoice_id,
        credited_lines.line_no as credited_line_no,

        invoices.invoice_type,
        invoices.sales_channel,
        invoices.currency,

        lines.quantity,
        {{ converted('lines.net_amount') }} as net_amount,
        {{ converted('lines.discount_amount') }} as discount_amount,
        lines.net_amount as net_amount_in_currency,

        invoices.invoiced_date,
        -- A credit note counts on the day that it credits, if that was known by then, and else on its own.
        case
            when invoices.known_at >= credited_invoices.known_at then cast(credited_invoices.invoiced_at as date)
            else invoices.invoiced_date
        end as purchase_date,

        invoices.invoiced_at,
        greatest(lines.known_at, invoices.known_at, customer_keys.known_at) as known_at,
        least(lines.superseded_at, invoices.superseded_at, customer_keys.superseded_at) as superseded_at,
        '{{ rates_mark }}' as _rates,
        {{ this_build() }} as _built_at

    from lines
    inner join invoices using (source_system, invoice_id)
    left join credited_invoices using (source_system, credited_invoice_id)
    left join credited_lines using (source_system, credited_invoice_id, product_key)
    left join ({{ rates_into_lake_currency() }}) as rates
        on invoices.currency = rates.currency and invoices.invoiced_date = rates.rate_date
    -- A guest's invoice has no key and joins nobody.
    left join {{ ref('int_customer_keys_versioned') }} as customer_keys
        on
            {{ owns('customer_keys', 'invoices') }}
            and {{ overlap('customer_keys', 'lines') }}

    where {{ overlap('lines', 'invoices') }}

)

select * from versions
