-- Looks forward: what became of every outbound message, and from when that is final.
with messages as (

    select * from {{ ref('messages') }}

    where direction = 'outbound'

),

responses as (

    select
        source_system,
        message_id,

        min(occurred_at) as responded_at,
        min_by(known_at, occurred_at) as response_known_at

    from {{ ref('message_events') }}

    where is_response

    group by source_system, message_id

),

message_responses as (

    select
        messages.source_system,
        messages.message_id,
        messages.customer_id,
        messages.action_id,

        messages.channel,
        messages.arm,
        messages.attributes,

        messages.logging_probability,

        messages.is_planned,

        messages.sent_at,
        messages.outcome_closes_at,
        responses.responded_at,
        responses.response_known_at

    from messages
    left join responses
        on
            messages.source_system = responses.source_system
            and messages.message_id = responses.message_id

)

select * from message_responses
