-- The day on which we first knew of each interaction of a customer; a message opened twice is opened once. What is corrected or taken
-- back later was true when known, so it stays; what is only planned did not happen. A view: the rows lie elsewhere.
{{ config(materialized='view') }}

with interactions as (

    {% set sources = [
        ['int_messages_versioned', "'message'", 'message_id', 'sent_at', "direction = 'outbound' and arm = 'treatment' and not is_planned"],
        ['int_message_events_versioned', 'event_type', 'message_id', 'occurred_at', "arm = 'treatment'"],
        ['int_visits_versioned', "'visit'", 'visit_id', 'visited_at', 'true'],
        ['int_cases_versioned', "'case'", 'case_id', 'opened_at', 'true'],
        ['int_cases_versioned', "'case_closed'", 'case_id', 'closed_at', 'true'],
        ['int_cases_versioned', "'praise'", 'case_id', 'coalesce(closed_at, opened_at)', 'satisfaction >= ' ~ var('praise_satisfaction')],
    ] -%}
    {% for relation, kind, id, happened_at, condition in sources -%}
    select
        customer_id,
        source_system,
        {{ id }} as interaction_id,
        {{ kind }} as kind,
        {{ happened_at }} as happened_at,
        known_at,
        superseded_at

    from {{ ref(relation) }}

    where {{ condition }}

    union all

    {% endfor -%}
    select
        customer_id,
        null as source_system,
        cast(purchase_date as varchar) as interaction_id,
        'purchase_day' as kind,
        purchase_date as happened_at,
        known_at,
        superseded_at

    from {{ ref('int_purchase_days_versioned') }}

),

dated as (

    select
        customer_id,
        source_system,
        interaction_id,
        kind,
        cast(min(greatest(happened_at, known_at)) as date) as known_on

    from interactions

    -- What was replaced before it happened never did; nor has what has no date.
    where happened_at is not null and coalesce(superseded_at > greatest(happened_at, known_at), true)

    group by customer_id, source_system, interaction_id, kind

)

select * from dated
