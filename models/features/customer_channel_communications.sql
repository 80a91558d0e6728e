with observations as (

    {{ new_observations() }}

),

-- A control message was withheld: the customer never saw it.
sent as (

    select
        observations.customer_id,
        observations.observation_date,
        messages.channel,
        'sent' as outcome,
        {{ days_between('cast(messages.sent_at as date)', 'observations.observation_date') }} as age_days

    from observations
    inner join {{ ref('int_messages_versioned') }} as messages on {{ observable('messages', 'sent_at') }}

    where messages.direction = 'outbound' and messages.arm = 'treatment'

),

-- A message opened twice is opened once, when it was opened last.
answered as (

    select
        observations.customer_id,
        observations.observation_date,
        events.channel,
        case when events.is_response then 'responded' else events.event_type end as outcome,
        min({{ days_between('cast(events.occurred_at as date)', 'observations.observation_date') }}) as age_days

    from observations
    inner join {{ ref('int_message_events_versioned') }} as events on {{ observable('events', 'occurred_at') }}

    where events.arm = 'treatment' and (events.is_response or events.event_type in ('opened', 'clicked'))

    group by observations.customer_id, observations.observation_date, events.channel, events.source_system, events.message_id, outcome

),

outcomes as (

    select * from sent

    union all

    select * from answered

),

features as (

    select
        customer_id,
        channel,

        {% for outcome in ['sent', 'opened', 'clicked', 'responded'] -%}
        {% for days in [30, 90, 365] -%}
        count(*) filter (where outcome = '{{ outcome }}' and age_days <= {{ days }}) as channel_messages_{{ outcome }}_past_{{ days }}_days,
        {% endfor -%}
        count(*) filter (where outcome = '{{ outcome }}') as channel_messages_{{ outcome }}_ever,
        {% endfor -%}
        min(age_days) filter (where outcome = 'sent') as channel_days_since_last_message,
        min(age_days) filter (where outcome = 'responded') as channel_days_since_last_response,
        cast(channel_messages_responded_ever as double) / nullif(channel_messages_sent_ever, 0) as channel_response_rate,

        observation_date

    from outcomes

    group by customer_id, observation_date, channel

    having channel_messages_sent_ever > 0

)

select * from features
