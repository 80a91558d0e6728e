-- A view: the versions lie in int_messages_versioned, and the newest of each is the truth.
{{ config(materialized='view') }}

with newest_messages as (

    select
        source_system,
        message_id,
        customer_id,
        campaign_id,
        action_id,

        channel,
        direction,
        arm,
        subject,
        body,
        attributes,

        logging_probability,
        cost,

        is_planned,

        sent_at,
        outcome_closes_at,
        known_at

    from {{ ref('int_messages_versioned') }}

    where superseded_at is null

)

select * from newest_messages
