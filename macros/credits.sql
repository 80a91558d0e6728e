{#-
    What credit notes credit: CTEs credited_invoices, with the moment at which each was first known to be invoiced, and credited_lines, with
    the line that each product was sold on.

    invoices: a CTE, whose credited_invoice_id names them.
-#}
{% macro credits(invoices) -%}
credited_invoices as (

    select
        source_system,
        invoice_id as credited_invoice_id,
        min_by(invoiced_at, known_at) as invoiced_at,
        min(known_at) as known_at

    from {{ ref('stg_invoices__invoices') }}

    where invoice_id in (select credited_invoice_id from {{ invoices }})

    group by source_system, invoice_id

),

-- Of several lines with the product the one that we knew first: another that comes later does not move the credit.
credited_lines as (

    select
        source_system,
        invoice_id as credited_invoice_id,
        product_key,
        min_by(line_no, (known_at, line_no)) as line_no

    from {{ ref('stg_invoices__lines') }}

    where invoice_id in (select credited_invoice_id from {{ invoices }})

    group by source_system, invoice_id, product_key

)
{%- endmacro %}
