-- Every version of every message, under every version of its customer's identity, with the action it carries out and the moment at which
-- its outcome is closed.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_messages()) }}") }}

{%- set described_at = 'case when messages.is_planned then as_of.as_of_date else messages.sent_at end' %}
{%- set campaign_was_known = 'coalesce(campaigns.known_at <= ' ~ described_at ~ ', true)' %}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

staged_messages as (

    select
        messages.* exclude (known_at, superseded_at),
        -- A planned message that does not say when it became known is known now.
        messages.known_at as stated_known_at,
        case
            when messages.known_at = messages.sent_at and messages.sent_at >= as_of.as_of_date
                then as_of.as_of_date - interval 1 second
            else messages.known_at
        end as known_at

    from {{ ref('stg_communications__messages') }} as messages
    cross join as_of

    where {{ touched_messages('messages.') }}

),

-- Of several planned versions that do not say when they became known, the last one holds.
messages as (

    select
        staged_messages.*,
        sent_at >= as_of.as_of_date and known_at < as_of.as_of_date as is_planned,
        lead(known_at) over (partition by source_system, message_id order by known_at, stated_known_at) as superseded_at

    from staged_messages
    cross join as_of

    qualify coalesce(superseded_at > known_at, true)

),

campaigns as (

    select
        *,
        -- The first version holds for what was sent before we knew of the campaign.
        case
            when row_number() over (partition by source_system, campaign_id order by known_at) > 1 then known_at
            else timestamp '0001-01-01'
        end as holds_from

    from {{ ref('stg_communications__campaigns') }}

),

actions as (

    select * from {{ ref('actions') }}

),

customer_keys as (

    select * from {{ ref('int_customer_keys_versioned') }}

),

versions as (

    select
        messages.source_system,
        messages.message_id,
        customer_keys.customer_id,
        messages.customer_key,
        messages.campaign_id,
        coalesce(campaigns.action_id, messages.campaign_id, 'unknown') as action_id,

        messages.channel,
        messages.direction,
        messages.arm,
        messages.subject,
        messages.body,
        {{ merge_json(['actions.attributes', 'campaigns.attributes', 'messages.attributes']) }} as attributes,

        messages.logging_probability,
        messages.cost,

        messages.is_planned,

        messages.sent_at,
        -- An offer cannot be accepted after its campaign's last day, nor count after the action's response window. A campaign that
        -- we heard of later tells neither: what has counted as a response would not any more.
        least(
            messages.sent_at + interval 1 day * coalesce(
                case when {{ campaign_was_known }} then actions.response_window_days end, {{ var('response_window_days') }}
            ),
            -- A bare date is a whole day.
            case
                when {{ campaign_was_known }}
                    then campaigns.ends_at + interval 1 day * (campaigns.ends_at = date_trunc('day', campaigns.ends_at))::integer
            end
        ) as outcome_closes_at,
        greatest(messages.known_at, customer_keys.known_at) as known_at,
        least(messages.superseded_at, customer_keys.superseded_at) as superseded_at,
        '{{ content_mark('actions', var('response_window_days')) }}' as _actions,
        {{ this_build() }} as _built_at

    from messages
    cross join as_of
    inner join customer_keys
        on
            messages.source_system = customer_keys.source_system
            and messages.customer_key = customer_keys.customer_key
            and {{ overlap('customer_keys', 'messages') }}
    left join campaigns
        on
            messages.source_system = campaigns.source_system
            and messages.campaign_id = campaigns.campaign_id
            -- The campaign as it was known when the message was sent, or now that it is planned. Not now, of a message that a
            -- backdated build does not know yet: no later build would take that back.
            and campaigns.holds_from <= {{ described_at }}
            and coalesce(campaigns.superseded_at, date '9999-12-31') > {{ described_at }}
    left join actions
        on
            coalesce(campaigns.action_id, messages.campaign_id) = actions.action_id
            and messages.channel = actions.channel

)

select * from versions
