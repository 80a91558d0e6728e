-- All lines together come to what was sold and kept, and to credit notes that name no line. Of invoices and what is credited on them, so of
-- any set of invoices.
{%- set sold_invoice_id = "case when invoice_type = 'credit_note' then coalesce(credited_invoice_id, invoice_id) else invoice_id end" %}
{%- set is_tested = written_now(
    ['source_system', 'invoice_id'], ref('int_invoice_lines_versioned'),
    keys=['source_system', sold_invoice_id ~ ' as invoice_id'],
) %}
with lines as (

    select * from (select * replace ({{ sold_invoice_id }} as invoice_id) from {{ ref('invoice_lines') }}) as by_sale

    where {{ is_tested }}

),

netted as (

    select * from {{ ref('netted_invoice_lines') }}

    where {{ is_tested }}

),

booked as (

    select coalesce(sum(net_amount), 0) as amount from lines

),

kept as (

    select coalesce(sum(kept_amount), 0) as amount from netted

),

unmatched as (

    select coalesce(sum(credits.net_amount), 0) as amount

    from lines as credits
    left join netted as sold
        on
            credits.source_system = sold.source_system
            and credits.credited_invoice_id = sold.invoice_id
            and credits.credited_line_no = sold.line_no

    -- What is paid back for a line of unknown amount nets nothing.
    where credits.invoice_type = 'credit_note' and sold.kept_amount is null

),

differences as (

    select
        booked.amount as booked,
        kept.amount + unmatched.amount as netted

    from booked
    cross join kept
    cross join unmatched

    where booked.amount != kept.amount + unmatched.amount

)

select * from differences
