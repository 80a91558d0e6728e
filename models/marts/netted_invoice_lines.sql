-- What was sold and not taken back: every line of an invoice with what credit notes say of it.
{{ config(materialized='view') }}

with lines as (

    select * from {{ ref('invoice_lines') }}

),

credits as (

    select
        source_system,
        credited_invoice_id as invoice_id,
        credited_line_no as line_no,

        sum(quantity) as credited_quantity,
        sum(net_amount) as credited_amount

    from lines

    where invoice_type = 'credit_note' and credited_line_no is not null

    group by source_system, credited_invoice_id, credited_line_no

),

netted as (

    select
        lines.source_system,
        lines.invoice_id,
        lines.line_no,
        lines.customer_id,
        lines.product_key,

        lines.quantity,
        coalesce(credits.credited_quantity, 0) as credited_quantity,
        lines.net_amount,
        coalesce(credits.credited_amount, 0) as credited_amount,
        lines.net_amount + coalesce(credits.credited_amount, 0) as kept_amount,

        lines.invoiced_date

    from lines
    left join credits
        on
            lines.source_system = credits.source_system
            and lines.invoice_id = credits.invoice_id
            and lines.line_no = credits.line_no

    where lines.invoice_type = 'invoice'

)

select * from netted
