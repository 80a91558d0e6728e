-- One timeline of what a customer did and received, on all channels. A view: the rows lie in the marts it unites.
{{ config(materialized='view') }}

with interactions as (

    select
        customer_id,
        source_system,
        invoice_id as interaction_id,
        invoice_type as kind,
        'inbound' as direction,
        sales_channel as channel,
        cast(null as varchar) as product_key,
        net_amount as amount,
        invoiced_at as happened_at,
        known_at

    from {{ ref('invoices') }}

    where customer_id is not null

    union all

    select
        customer_id,
        source_system,
        message_id as interaction_id,
        'message' as kind,
        direction,
        channel,
        cast(null as varchar) as product_key,
        cast(null as decimal(38, 4)) as amount,
        sent_at as happened_at,
        known_at

    from {{ ref('messages') }}

    -- What was withheld or is only planned did not happen.
    where arm = 'treatment' and not is_planned

    union all

    select
        customer_id,
        source_system,
        message_id as interaction_id,
        event_type as kind,
        'inbound' as direction,
        channel,
        cast(null as varchar) as product_key,
        cast(value_amount as decimal(38, 4)) as amount,
        occurred_at as happened_at,
        known_at

    from {{ ref('message_events') }}

    -- Delivered and bounced are what the channel did, not the customer.
    where event_type not in ('delivered', 'bounced')

    union all

    select
        customer_id,
        source_system,
        visit_id as interaction_id,
        'visit' as kind,
        'inbound' as direction,
        channel,
        product_key,
        cast(null as decimal(38, 4)) as amount,
        visited_at as happened_at,
        known_at

    from {{ ref('visits') }}

    union all

    select
        customer_id,
        source_system,
        case_id as interaction_id,
        'case' as kind,
        'inbound' as direction,
        channel,
        cast(null as varchar) as product_key,
        cast(null as decimal(38, 4)) as amount,
        opened_at as happened_at,
        known_at

    from {{ ref('cases') }}

)

select * from interactions
