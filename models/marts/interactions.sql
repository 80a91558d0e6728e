-- One timeline of what a customer did and received, on all channels. A view: the rows lie in the marts it unites. A question
-- about one customer reads only that customer's rows of purchases, messages, their events and consents, and finds visits, cases and assets by
-- that customer's keys.
{{ config(materialized='view') }}

with interactions as (

    select
        customer_id,
        source_system,
        interaction_id,
        line_no,
        kind,
        direction,
        channel,
        product_key,
        amount,
        currency,
        happened_at,
        known_at

    from {{ ref('int_interactions_of_invoices') }}
    {% for others in [ref('int_interactions_of_communications'), ref('int_interactions_of_crm')] %}

    union all

    select
        customer_id,
        source_system,
        interaction_id,
        cast(null as bigint) as line_no,
        kind,
        direction,
        channel,
        product_key,
        amount,
        cast(null as varchar) as currency,
        happened_at,
        known_at

    from {{ others }}
    {% endfor %}

)

select * from interactions
