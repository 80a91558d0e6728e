-- The invoices together come to what their lines come to.
{%- set is_tested = written_now(['source_system', 'invoice_id'], ref('int_invoices_versioned')) %}
with invoices as (

    select
        coalesce(sum(line_count), 0) as line_count,
        coalesce(sum(net_amount), 0) as net_amount

    from {{ ref('invoices') }}

    where {{ is_tested }}

),

lines as (

    select
        count(*) as line_count,
        coalesce(sum(net_amount), 0) as net_amount

    from {{ ref('invoice_lines') }}

    where {{ is_tested }}

),

differences as (

    select
        invoices.line_count as invoiced_lines,
        lines.line_count

    from invoices
    cross join lines

    where invoices.line_count != lines.line_count or invoices.net_amount != lines.net_amount

)

select * from differences
