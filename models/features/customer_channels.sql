{%- set prior_messages = 20 -%}
{%- set fewest_reactions = 3 -%}
with observations as (

    {{ new_observations() }}

),

communications as (

    select * from {{ ref('customer_channel_communications') }}

    where
        channel != 'unknown'
        and observation_date in (select observation_date from observations)

),

-- Of all customers on that date, so that a new customer is judged by how others answer on the channel.
response_rates as (

    select
        observation_date,
        channel,
        cast(sum(channel_messages_responded_ever) as double) / cast(sum(channel_messages_sent_ever) as double) as response_rate

    from communications

    group by observation_date, channel

),

-- That rate weighs as much as {{ prior_messages }} messages of the customer's own.
shrunken as (

    select
        communications.customer_id,
        communications.observation_date,
        communications.channel,
        (communications.channel_messages_responded_ever + {{ prior_messages }} * response_rates.response_rate)
        / (communications.channel_messages_sent_ever + {{ prior_messages }}) as response_rate

    from communications
    inner join response_rates
        on
            communications.observation_date = response_rates.observation_date
            and communications.channel = response_rates.channel

),

preferred as (

    select
        customer_id,
        observation_date,
        max_by(channel, (response_rate, channel)) as preferred_channel,
        max(response_rate) as preferred_channel_response_rate

    from shrunken

    group by customer_id, observation_date

),

reachable as (

    select
        observations.customer_id,
        observations.observation_date,
        {% for channel in ['email', 'sms', 'phone', 'post'] -%}
        bool_or(channels.is_reachable) filter (where channels.channel = '{{ channel }}') as reachable_by_{{ channel }},
        {% endfor -%}
        count(*) filter (where channels.is_reachable) as reachable_channels

    from observations
    inner join {{ ref('int_reachability_versioned') }} as channels
        on
            observations.customer_id = channels.customer_id
            and {{ known_as_of('channels', 'observations.observation_date') }}

    group by observations.customer_id, observations.observation_date

),

features as (

    select
        observations.customer_id,

        preferred.preferred_channel,
        bought.main_sales_channel,
        preferred.preferred_channel_response_rate,
        {% for channel in ['email', 'sms', 'phone', 'post'] -%}
        reachable.reachable_by_{{ channel }},
        {% endfor -%}
        coalesce(reachable.reachable_channels, 0) as reachable_channels,
        bought.main_sales_channel_share,
        {% for channel in ['web', 'app', 'store'] -%}
        bought.{{ channel }}_purchase_share,
        {% endfor -%}
        bought.is_multi_channel,
        coalesce(times.reactions, 0) as reactions_ever,
        case when times.reactions >= {{ fewest_reactions }} then times.most_frequent_hour end as best_hour_to_reach,
        case when times.reactions >= {{ fewest_reactions }} then times.most_frequent_weekday end as best_weekday_to_reach,

        observations.observation_date

    from observations
    left join preferred using (customer_id, observation_date)
    left join reachable using (customer_id, observation_date)
    left join {{ ref('int_sales_channels_versioned') }} as bought
        on
            observations.customer_id = bought.customer_id
            and {{ known_as_of('bought', 'observations.observation_date') }}
    left join {{ ref('int_reaction_times_versioned') }} as times
        on
            observations.customer_id = times.customer_id
            and {{ known_as_of('times', 'observations.observation_date') }}

)

select * from features
