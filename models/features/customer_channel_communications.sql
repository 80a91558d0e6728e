{%- set windows = [30, 90, 365] -%}
with observations as (

    {{ new_observations() }}

),

messages as (

    select
        observations.customer_id,
        observations.observation_date,
        messages.channel,
        messages.source_system,
        messages.message_id,
        {{ days_between('cast(messages.sent_at as date)', 'observations.observation_date') }} as age_days

    from observations
    inner join {{ ref('int_messages_versioned') }} as messages on {{ observable('messages', 'sent_at') }}

    -- A control message was withheld: the customer never saw it.
    where messages.direction = 'outbound' and messages.arm = 'treatment'

),

sent as (

    select
        customer_id,
        observation_date,
        channel,

        {% for window in windows -%}
        count(*) filter (where age_days <= {{ window }}) as sent_past_{{ window }}_days,
        {% endfor -%}
        count(*) as sent_ever,
        min(age_days) as days_since_last_message

    from messages

    group by customer_id, observation_date, channel

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

    select
        customer_id,
        observation_date,
        channel,

        {% for outcome in ['opened', 'clicked', 'responded'] -%}
        {% for window in windows -%}
        count(*) filter (where outcome = '{{ outcome }}' and age_days <= {{ window }}) as {{ outcome }}_past_{{ window }}_days,
        {% endfor -%}
        count(*) filter (where outcome = '{{ outcome }}') as {{ outcome }}_ever,
        {% endfor -%}
        min(age_days) filter (where outcome = 'responded') as days_since_last_response

    from answered

    group by customer_id, observation_date, channel

),

features as (

    select
        sent.customer_id,
        sent.channel,

        {% for outcome in ['sent', 'opened', 'clicked', 'responded'] -%}
        {% for window in ['past_30_days', 'past_90_days', 'past_365_days', 'ever'] -%}
        coalesce({{ outcome }}_{{ window }}, 0) as channel_messages_{{ outcome }}_{{ window }},
        {% endfor -%}
        {% endfor -%}
        cast(sent.days_since_last_message as bigint) as channel_days_since_last_message,
        cast(outcomes.days_since_last_response as bigint) as channel_days_since_last_response,
        cast(coalesce(outcomes.responded_ever, 0) as double) / sent.sent_ever as channel_response_rate,

        sent.observation_date

    from sent
    left join outcomes using (customer_id, observation_date, channel)

)

select * from features
