-- When a customer entered each stage on the way from aware to advocating, by the rules of seeds/aida_stages.csv. It runs on the clock of
-- what we knew, so what becomes known later never moves an entry. Stages may be skipped and are never left.
{%- set mark = content_mark('aida_stages', var('praise_satisfaction')) -%}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget(touched_by_interactions()) }}",
) }}

with rules as (

    select
        *,
        minimal_count = 1 and not is_after_sale as is_met_at_first

    from {{ ref('aida_stages') }}

),

interactions as (

    select
        customer_id,
        kind,
        known_on

    from {{ ref('int_interactions_dated') }}

    where kind in (select kind from rules) and {{ touched_by_interactions() }}

),

-- Where one suffices, whenever it was, only the first can be the entry.
candidates as (

    select
        customer_id,
        kind,
        min(known_on) as known_on,
        true as is_first

    from interactions

    group by customer_id, kind

    union all

    select
        *,
        false as is_first

    from interactions

    where
        kind in (
            select kind from rules
            where not is_met_at_first
        )

),

-- A rule is met on the day of an interaction, when the first of as many began as it asks for.
met as (

    select
        candidates.customer_id,
        rules.* exclude (within_days),
        lag(candidates.known_on, rules.minimal_count - 1) over (
            partition by candidates.customer_id, rules.stage, rules.kind, rules.is_after_sale
            order by candidates.known_on
        ) as started_on,
        candidates.known_on as met_on

    from rules
    inner join candidates on rules.kind = candidates.kind and rules.is_met_at_first = candidates.is_first

    qualify started_on is not null and coalesce({{ days_between('started_on', 'met_on') }} <= rules.within_days, true)

),

sales as (

    select
        customer_id,
        min(met_on) as sold_on

    from met

    where stage = 'bought'

    group by customer_id

),

-- After the sale only what happened since counts.
entered as (

    select
        met.customer_id,
        met.stage,
        met.stage_rank,
        min(met.met_on) as entered_on

    from met
    left join sales on met.customer_id = sales.customer_id

    where not met.is_after_sale or met.started_on >= sales.sold_on

    group by met.customer_id, met.stage, met.stage_rank

),

-- Forward only: who bought unseen is not interested thereafter.
forward as (

    select
        *,
        '{{ mark }}' as _mark,
        {{ this_build() }} as _built_at

    from entered

    window later_stages as (partition by customer_id order by stage_rank rows between 1 following and unbounded following)

    qualify coalesce(entered_on <= min(entered_on) over later_stages, true)

)

select * from forward
