{%- set fewest_reactions = 3 -%}
{%- set contact_channels = ['email', 'sms', 'phone', 'post'] -%}
{#- How all customers answer on a channel weighs as much as 20 messages of the customer's own. -#}
{%- set response_rate = '(sums.channel_messages_responded_ever + 20 * of_all.response_rate) / (sums.channel_messages_sent_ever + 20)' -%}
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
of_all as (

    select
        observation_date,
        channel,
        cast(sum(channel_messages_responded_ever) as double) / cast(sum(channel_messages_sent_ever) as double) as response_rate

    from communications

    group by observation_date, channel

),

preferred as (

    select
        customer_id,
        observation_date,
        max_by(channel, ({{ response_rate }}, channel)) as preferred_channel,
        max({{ response_rate }}) as preferred_channel_response_rate

    from communications as sums
    inner join of_all using (observation_date, channel)

    group by customer_id, observation_date

),

reachable as (

    select
        observations.customer_id,
        observations.observation_date,
        {% for channel in contact_channels -%}
        bool_or(channels.is_reachable) filter (where channels.channel = '{{ channel }}') as reachable_by_{{ channel }},
        {% endfor -%}
        count(*) filter (where channels.is_reachable) as reachable_channels

    from observations
    inner join {{ ref('int_reachability_versioned') }} as channels on {{ observable('channels') }}

    group by observations.customer_id, observations.observation_date

),

features as (

    select
        observations.customer_id,

        preferred.preferred_channel,
        bought.main_sales_channel,
        preferred.preferred_channel_response_rate,
        {% for channel in contact_channels -%}
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
    left join {{ ref('int_sales_channels_versioned') }} as bought on {{ observable('bought') }}
    left join {{ ref('int_reaction_times_versioned') }} as times on {{ observable('times') }}

)

select * from features
