-- A purchase day is what its lines and the credit notes upon it come to: no line is lost, none counts twice.
with lines as (

    select
        customer_id,
        purchase_date,
        count(*) as line_count,
        sum(net_amount) as net_amount

    from {{ ref('invoice_lines') }}

    where customer_id is not null

    group by customer_id, purchase_date

),

differences as (

    select
        days.customer_id,
        days.purchase_date

    from {{ ref('purchase_days') }} as days
    left join lines
        on
            days.customer_id = lines.customer_id
            and days.purchase_date = lines.purchase_date

    where
        days.line_count is distinct from lines.line_count
        or days.net_amount is distinct from lines.net_amount

)

select * from differences
