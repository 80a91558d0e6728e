-- All lines together come to what was sold and kept, and to credit notes that name no line.
with booked as (

    select coalesce(sum(net_amount), 0) as amount from {{ ref('invoice_lines') }}

),

kept as (

    select coalesce(sum(kept_amount), 0) as amount from {{ ref('netted_invoice_lines') }}

),

unmatched as (

    select coalesce(sum(credits.net_amount), 0) as amount

    from {{ ref('invoice_lines') }} as credits
    left join {{ ref('netted_invoice_lines') }} as sold
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
