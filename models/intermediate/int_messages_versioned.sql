-- Every version of every message, under every version of its customer's identity, with the action it carries out and the moment at which
-- its outcome is closed.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_messages()) }}") }}

with staged_messages as (

    select
        messages.* exclude (known_at, superseded_at),
        as_of.as_of_date,
        messages.known_at as stated_known_at,
        -- A planned message that does not say when it became known is known now.
        case
            when messages.known_at = messages.sent_at and messages.sent_at >= as_of.as_of_date
                then as_of.as_of_date - interval 1 second
            else messages.known_at
        end as known_at

    from {{ ref('stg_communications__messages') }} as messages
    cross join {{ ref('int_as_of_date') }} as as_of

    where {{ touched_messages() }}

),

-- Of several planned versions that do not say when they became known, the last one holds.
messages as (

    select
        *,
        sent_at >= as_of_date and known_at < as_of_date as is_planned,
        case when is_planned then as_of_date else sent_at end as described_at,
        lead(known_at) over (partition by source_system, message_id order by known_at, stated_known_at) as superseded_at

    from staged_messages

    qualify coalesce(superseded_at > known_at, true)

),

campaigns as (

    select
        *,
        {{ holds_from('campaign_id') }} as holds_from

    from {{ ref('stg_communications__campaigns') }}

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
        {{ outcome_closes_at('messages', 'campaigns', 'actions') }} as outcome_closes_at,
        greatest(messages.known_at, customer_keys.known_at) as known_at,
        least(messages.superseded_at, customer_keys.superseded_at) as superseded_at,
        '{{ content_mark('actions', var('response_window_days')) }}' as _actions,
        {{ this_build() }} as _built_at

    from messages
    inner join {{ ref('int_customer_keys_versioned') }} as customer_keys on {{ owns('customer_keys', 'messages') }}
    left join campaigns
        on
            messages.source_system = campaigns.source_system
            and messages.campaign_id = campaigns.campaign_id
            -- The campaign as it was known when the message was sent, or now that it is planned. Not now, of a message that a
            -- backdated build does not know yet: no later build would take that back.
            and campaigns.holds_from <= messages.described_at
            and coalesce(campaigns.superseded_at, date '9999-12-31') > messages.described_at
    left join {{ ref('actions') }} as actions
        on
            coalesce(campaigns.action_id, messages.campaign_id) = actions.action_id
            and messages.channel = actions.channel

)

select * from versions
