-- Messages, what came of them, and visits. A view: the rows lie in the marts.
{{ config(materialized='view') }}

with messages as (

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

),

events as (

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

),

visits as (

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

),

interactions as (

    select * from messages

    union all

    select * from events

    union all

    select * from visits

)

select * from interactions
