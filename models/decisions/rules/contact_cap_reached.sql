with policy as (

    select * from {{ ref('contact_policy') }}

),

-- Control messages were withheld, and planned ones are candidates themselves: neither is a contact yet.
messages as (

    select * from {{ ref('messages') }}

    where direction = 'outbound' and arm = 'treatment' and not is_planned

),

reached_caps as (

    select
        candidates.customer_id,
        candidates.action_id,
        candidates.channel

    from {{ ref('candidates') }} as candidates
    inner join policy on policy.channel in (candidates.channel, 'any')
    inner join messages
        on
            candidates.customer_id = messages.customer_id
            and policy.channel in (messages.channel, 'any')
            and messages.sent_at >= {{ add_days('candidates.as_of_date', '-policy.window_days') }}

    group by
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        policy.channel,
        policy.window_days,
        policy.max_messages

    having count(*) >= policy.max_messages

)

select distinct
    customer_id,
    action_id,
    channel

from reached_caps
