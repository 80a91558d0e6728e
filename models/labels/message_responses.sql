-- Looks forward: every version of every outbound message with each version of each response to it, and from when and until
-- when each was what we knew. Whoever trains judges them as of a cut.
with messages as (

    select * from {{ ref('int_messages_versioned') }}

    where direction = 'outbound'

),

responses as (

    select * from {{ ref('int_message_events_versioned') }}

    where is_response

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

        messages.sent_at,
        messages.outcome_closes_at,
        messages.known_at as message_known_at,
        messages.superseded_at as message_superseded_at,
        responses.occurred_at as responded_at,
        responses.known_at as response_known_at,
        responses.superseded_at as response_superseded_at

    from messages
    left join responses
        on
            messages.source_system = responses.source_system
            and messages.message_id = responses.message_id

)

select * from message_responses
