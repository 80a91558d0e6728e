with lines as (

    select
        source_system,
        invoice_id,

        count(*) as line_count,
        sum(net_amount) as net_amount,
        sum(discount_amount) as discount_amount

    from {{ ref('invoice_lines') }}

    group by source_system, invoice_id

),

keys as (

    select * from {{ ref('customer_keys') }}

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

known_invoices as (

    select invoices.*

    from {{ ref('stg_invoices__invoices') }} as invoices
    cross join as_of

    where
        invoices.known_at < as_of.as_of_date
        and (invoices.superseded_at is null or invoices.superseded_at >= as_of.as_of_date)

),

invoices as (

    select
        known_invoices.source_system,
        known_invoices.invoice_id,
        keys.customer_id,
        known_invoices.credited_invoice_id,
        known_invoices.store_key,

        known_invoices.invoice_type,
        known_invoices.sales_channel,
        known_invoices.currency,

        coalesce(lines.line_count, 0) as line_count,
        lines.net_amount,
        lines.discount_amount,

        known_invoices.invoiced_at,
        known_invoices.known_at

    from known_invoices
    left join keys
        on
            known_invoices.source_system = keys.source_system
            and known_invoices.customer_key = keys.customer_key
    left join lines
        on
            known_invoices.source_system = lines.source_system
            and known_invoices.invoice_id = lines.invoice_id

)

select * from invoices
