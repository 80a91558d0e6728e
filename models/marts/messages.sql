-- A view: the versions lie in int_messages_versioned, and the one that is known at the as-of date is the truth.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

newest_messages as (

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

    from {{ ref('int_messages_versioned') }} as versions
    cross join as_of

    where {{ known_as_of('versions', 'as_of.as_of_date') }}

)

select * from newest_messages
