{%- set outcomes = ['sent', 'opened', 'clicked', 'responded'] -%}
{%- set windows = ['past_30_days', 'past_90_days', 'past_365_days', 'ever'] -%}
with observations as (

    {{ new_observations() }}

),

channels as (

    select * from {{ ref('customer_channel_communications') }}

),

features as (

    select
        observations.customer_id,

        {% for outcome in outcomes -%}
        {% for window in windows -%}
        cast(coalesce(sum(channels.channel_messages_{{ outcome }}_{{ window }}), 0) as bigint) as messages_{{ outcome }}_{{ window }},
        {% endfor -%}
        {% endfor -%}
        min(channels.channel_days_since_last_message) as days_since_last_message,
        min(channels.channel_days_since_last_response) as days_since_last_response,
        cast(sum(channels.channel_messages_responded_ever) as double)
        / nullif(sum(channels.channel_messages_sent_ever), 0) as response_rate,

        observations.observation_date

    from observations
    left join channels
        on
            observations.customer_id = channels.customer_id
            and observations.observation_date = channels.observation_date

    group by observations.customer_id, observations.observation_date

)

select * from features
