-- Cases, assets and consents. A view: the rows lie in the marts. Readings of assets are left out: a device took them, not a customer.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

{%- set branches = [
    ['cases', "'case'", 'inbound', 'channel', 'cast(null as varchar)', 'case_id', 'opened_at'],
    ['cases', "'case_closed'", 'outbound', 'channel', 'cast(null as varchar)', 'case_id', 'closed_at'],
    ['assets', "'asset_acquired'", 'inbound', 'cast(null as varchar)', 'product_key', 'asset_id', 'acquired_at'],
    ['assets', "'asset_released'", 'inbound', 'cast(null as varchar)', 'product_key', 'asset_id', 'released_at'],
] %}

happened as (
    {% for mart, kind, direction, channel, product_key, id, happened_at in branches %}
    select
        customer_id,
        source_system,
        {{ id }} as interaction_id,
        {{ kind }} as kind,
        '{{ direction }}' as direction,
        {{ channel }} as channel,
        {{ product_key }} as product_key,
        {{ happened_at }} as happened_at,
        -- An end that was announced is known when it comes.
        greatest({{ happened_at }}, known_at) as known_at

    from {{ ref(mart) }}

    where {{ happened_at }} is not null

    union all
    {% endfor %}
    select
        customer_id,
        cast(null as varchar) as source_system,
        purpose as interaction_id,
        'consent_' || status as kind,
        'inbound' as direction,
        channel,
        cast(null as varchar) as product_key,
        effective_at as happened_at,
        min(known_at) as known_at

    from {{ ref('consents') }}

    -- An objection stands in the timeline as the event that it was.
    where not is_objection

    -- What a customer says once through several records is said once.
    group by customer_id, purpose, status, channel, effective_at

),

interactions as (

    select
        happened.*,
        cast(null as decimal(38, 4)) as amount

    from happened
    cross join as_of

    -- The end of a contract or case may lie ahead.
    where happened.happened_at < as_of.as_of_date

)

select * from interactions
