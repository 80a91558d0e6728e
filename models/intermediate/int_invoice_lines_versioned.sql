-- Every version of every line under every version of its invoice and of its customer's identity: known from when all were known, until
-- one was replaced. A line belongs to the customer that its key belonged to at the time, so a merge changes nothing before its day.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_invoices()) }}") }}

with lines as (

    select * from {{ ref('stg_invoices__lines') }}

    where {{ touched_invoices() }}

),

invoices as (

    select * from {{ ref('stg_invoices__invoices') }}

    where {{ touched_invoices() }}

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

        invoices.invoice_type,
        invoices.sales_channel,
        invoices.currency,

        lines.quantity,
        lines.net_amount,
        lines.discount_amount,

        cast(invoices.invoiced_at as date) as invoiced_date,

        invoices.invoiced_at,
        greatest(lines.known_at, invoices.known_at, customer_keys.known_at) as known_at,
        least(lines.superseded_at, invoices.superseded_at, customer_keys.superseded_at) as superseded_at,
        {{ this_build() }} as _built_at

    from lines
    inner join invoices
        on
            lines.source_system = invoices.source_system
            and lines.invoice_id = invoices.invoice_id
            and (lines.superseded_at is null or lines.superseded_at > invoices.known_at)
            and (invoices.superseded_at is null or invoices.superseded_at > lines.known_at)
    -- A guest's invoice has no key and joins nobody.
    left join customer_keys
        on
            invoices.source_system = customer_keys.source_system
            and invoices.customer_key = customer_keys.customer_key
            and {{ overlap('customer_keys', 'invoices') }}
            and {{ overlap('customer_keys', 'lines') }}

)

select * from versions
