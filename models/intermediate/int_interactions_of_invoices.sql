-- What customers bought and were credited, line by line, so that each row has its product. A view: the rows lie in the marts.
{{ config(materialized='view') }}

with lines as (

    select
        customer_id,
        source_system,
        invoice_id,
        line_no,
        invoice_type,
        sales_channel,
        product_key,
        currency,
        cast(net_amount as decimal(38, 4)) as net_amount,
        invoiced_at,
        known_at

    from {{ ref('invoice_lines') }}

),

-- An invoice happened even where none of its lines reached us.
bare_invoices as (

    select
        customer_id,
        source_system,
        invoice_id,
        cast(null as bigint) as line_no,
        invoice_type,
        sales_channel,
        cast(null as varchar) as product_key,
        currency,
        net_amount,
        invoiced_at,
        known_at

    from {{ ref('invoices') }}

    where line_count = 0

),

united as (

    select * from lines

    union all

    select * from bare_invoices

),

interactions as (

    select
        customer_id,
        source_system,
        invoice_id as interaction_id,
        line_no,
        invoice_type as kind,
        -- The customer buys; we credit.
        case when invoice_type = 'credit_note' then 'outbound' else 'inbound' end as direction,
        sales_channel as channel,
        product_key,
        net_amount as amount,
        currency,
        invoiced_at as happened_at,
        known_at

    from united

    -- A guest has no timeline.
    where customer_id is not null

)

select * from interactions
