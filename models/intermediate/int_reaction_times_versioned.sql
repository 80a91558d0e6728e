-- When customers react to messages, from and until when we thought so: an opening, click, reply or response shows that they were there.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget(touched_people(by_customer={'int_message_events_versioned': 'true'}, by_replaced_key=['base_communications__messages'])) }}",
) }}

with events as (

    select
        customer_id,
        occurred_at,
        cast(greatest(known_at, occurred_at) as date) as known_at,
        cast(superseded_at as date) as superseded_at

    from {{ ref('int_message_events_versioned') }}

    where
        arm = 'treatment'
        and (is_response or event_type in ('opened', 'clicked', 'replied'))
        and {{ touched_people(by_customer={'int_message_events_versioned': 'true'}, by_replaced_key=['base_communications__messages']) }}

),

reactions as (

    select
        *,
        unnest(['hour', 'weekday']) as unit,
        unnest([extract(hour from occurred_at), isodow(occurred_at)]) as place

    from events

),

periods as (

    {{ knowledge_periods('events', 'customer_id') }}

),

counted as (

    select
        periods.customer_id,
        reactions.unit,
        reactions.place,
        count(*) as reactions,
        max(reactions.occurred_at) as newest_at,
        periods.known_at,
        periods.superseded_at

    from periods
    inner join reactions
        on
            periods.customer_id = reactions.customer_id
            and {{ known_in('reactions', 'periods') }}

    group by periods.customer_id, reactions.unit, reactions.place, periods.known_at, periods.superseded_at

),

-- Of hours with equally many reactions, the one with the newest.
times as (

    select
        customer_id,

        cast(sum(reactions) filter (where unit = 'hour') as bigint) as reactions,
        max_by(place, (reactions, newest_at)) filter (where unit = 'hour') as most_frequent_hour,
        max_by(place, (reactions, newest_at)) filter (where unit = 'weekday') as most_frequent_weekday,

        known_at,
        superseded_at,
        {{ this_build() }} as _built_at

    from counted

    group by customer_id, known_at, superseded_at

)

select * from times
