-- To a message of the action whose outcome is still open.
select distinct
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
inner join {{ ref('messages') }} as messages
    on
        candidates.customer_id = messages.customer_id
        and candidates.action_id = messages.action_id
        and candidates.channel = messages.channel
        and messages.outcome_closes_at > candidates.as_of_date
inner join {{ ref('message_events') }} as events
    on
        messages.source_system = events.source_system
        and messages.message_id = events.message_id

where messages.direction = 'outbound' and messages.arm = 'treatment' and not messages.is_planned and events.is_response
