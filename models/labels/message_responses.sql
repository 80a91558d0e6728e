-- Looks forward: every version of every outbound message with each version of each response to it, and from when and until
-- when each was what we knew. Whoever trains judges them as of a cut.
with messages as (

    select
        messages.*,
        -- As it was when it was sent, or at first where we heard of it later: what is added afterwards may tell what became of it.
        first_value(messages.attributes) over (
            partition by messages.source_system, messages.message_id
            order by case when messages.known_at <= messages.sent_at then messages.known_at end desc nulls last, messages.known_at asc
        ) as attributes_when_sent

    from {{ ref('int_messages_versioned') }} as messages
    cross join {{ ref('int_as_of_date') }} as as_of

    where messages.direction = 'outbound' and messages.known_at < as_of.as_of_date

),

-- Features of a message are those of the customer it was sent to, by the id of that time.
recipients as (

    select * from {{ ref('int_customer_keys_versioned') }}

),

responses as (

    select responses.*

    from {{ ref('int_message_events_versioned') }} as responses
    cross join {{ ref('int_as_of_date') }} as as_of

    where responses.is_response and responses.known_at < as_of.as_of_date

),

message_responses as (

    select
        messages.source_system,
        messages.message_id,
        coalesce(recipients.customer_id, messages.customer_id) as customer_id,
        messages.campaign_id,
        messages.action_id,

        messages.channel,
        messages.arm,
        messages.attributes_when_sent as attributes,

        messages.sent_at,
        messages.outcome_closes_at,
        messages.known_at as message_known_at,
        messages.superseded_at as message_superseded_at,
        responses.occurred_at as responded_at,
        responses.known_at as response_known_at,
        responses.superseded_at as response_superseded_at

    from messages
    left join recipients
        on
            messages.source_system = recipients.source_system
            and messages.customer_key = recipients.customer_key
            and messages.sent_at >= recipients.known_at
            and messages.sent_at < coalesce(recipients.superseded_at, date '9999-12-31')
    left join responses
        on
            messages.source_system = responses.source_system
            and messages.message_id = responses.message_id
            and {{ overlap('messages', 'responses') }}

)

select * from message_responses
