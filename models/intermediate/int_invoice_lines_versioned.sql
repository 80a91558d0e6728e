-- Every version of every line under every version of its invoice and of its customer's identity: known from when all were known, until
-- one was replaced. A line belongs to the customer that its key belonged to at the time, so a merge changes nothing before its day.
{%- set rates_mark = content_mark('stg_invoices__exchange_rates', lake_currency()) -%}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_invoices()) }}") }}

with lines as (

    select * from {{ ref('stg_invoices__lines') }}

    where {{ touched_invoices() }}

),

invoices as (

    select * from {{ ref('stg_invoices__invoices') }}

    where {{ touched_invoices() }}

),

-- A credit note counts on the day that it credits, if that was known by then, and else on its own.
credited_invoices as (

    select
        source_system,
        invoice_id,
        min_by(invoiced_at, known_at) as invoiced_at,
        min(known_at) as known_at

    from {{ ref('stg_invoices__invoices') }}

    where invoice_id in (select credited_invoice_id from invoices)

    group by source_system, invoice_id

),

-- Of several lines with the product the one that we knew first: another that comes later does not move the credit.
credited_lines as (

    select
        source_system,
        invoice_id,
        product_key,
        min_by(line_no, (known_at, line_no)) as line_no

    from {{ ref('stg_invoices__lines') }}

    where invoice_id in (select credited_invoice_id from invoices)

    group by source_system, invoice_id, product_key

),

rates as (

    select * from {{ ref('stg_invoices__exchange_rates') }}

),

-- Of the currency in which amounts are told.
lake_rates as (

    select * from rates

    where currency = '{{ lake_currency() }}'

),

customer_keys as (

    select * from {{ ref('int_customer_keys_versioned') }}

),

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

        cast(invoices.invoiced_at as date) as invoiced_date,
        cast(coalesce(credited_invoices.invoiced_at, invoices.invoiced_at) as date) as purchase_date,

        invoices.invoiced_at,
        greatest(lines.known_at, invoices.known_at, customer_keys.known_at) as known_at,
        least(lines.superseded_at, invoices.superseded_at, customer_keys.superseded_at) as superseded_at,
        '{{ rates_mark }}' as _rates,
        {{ this_build() }} as _built_at

    from lines
    inner join invoices
        on
            lines.source_system = invoices.source_system
            and lines.invoice_id = invoices.invoice_id
            and (lines.superseded_at is null or lines.superseded_at > invoices.known_at)
            and (invoices.superseded_at is null or invoices.superseded_at > lines.known_at)
    left join credited_invoices
        on
            invoices.source_system = credited_invoices.source_system
            and invoices.credited_invoice_id = credited_invoices.invoice_id
            and invoices.known_at >= credited_invoices.known_at
    left join credited_lines
        on
            invoices.source_system = credited_lines.source_system
            and invoices.credited_invoice_id = credited_lines.invoice_id
            and lines.product_key = credited_lines.product_key
    left join rates
        on
            invoices.currency = rates.currency
            and cast(invoices.invoiced_at as date) = rates.rate_date
    left join lake_rates on cast(invoices.invoiced_at as date) = lake_rates.rate_date
    -- A guest's invoice has no key and joins nobody.
    left join customer_keys
        on
            invoices.source_system = customer_keys.source_system
            and invoices.customer_key = customer_keys.customer_key
            and {{ overlap('customer_keys', 'invoices') }}
            and {{ overlap('customer_keys', 'lines') }}

)

select * from versions
