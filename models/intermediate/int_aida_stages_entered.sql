-- When a customer entered each stage on the way from aware to advocating, by the rules of seeds/aida_stages.csv. It runs on the clock of
-- what we knew, so what becomes known later never moves an entry. Stages may be skipped and are never left.
{%- set mark = content_mark('aida_stages', var('praise_satisfaction')) -%}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ forget(touched_by_interactions()) }}",
) }}

with rules as (

    select * from {{ ref('aida_stages') }}

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
first_ones as (

    select
        customer_id,
        kind,
        min(known_on) as known_on

    from interactions

    group by customer_id, kind

),

-- Else on the day of each interaction, when the first of as many began as the rule asks for.
counted as (

    select
        interactions.customer_id,
        rules.stage,
        rules.stage_rank,
        rules.is_after_sale,
        rules.within_days,
        lag(interactions.known_on, rules.minimal_count - 1) over (
            partition by interactions.customer_id, rules.stage, rules.kind
            order by interactions.known_on
        ) as started_on,
        interactions.known_on as met_on

    from rules
    inner join interactions on rules.kind = interactions.kind

    where rules.minimal_count > 1 or rules.is_after_sale

),

met as (

    select * exclude (within_days) from counted

    where started_on is not null and coalesce({{ days_between('started_on', 'met_on') }} <= within_days, true)

    union all

    select
        first_ones.customer_id,
        rules.stage,
        rules.stage_rank,
        rules.is_after_sale,
        first_ones.known_on as started_on,
        first_ones.known_on as met_on

    from rules
    inner join first_ones on rules.kind = first_ones.kind

    where rules.minimal_count = 1 and not rules.is_after_sale

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

    select * from entered

    window later_stages as (partition by customer_id order by stage_rank rows between 1 following and unbounded following)

    qualify coalesce(entered_on <= min(entered_on) over later_stages, true)

)

select
    *,
    '{{ mark }}' as _mark,
    {{ this_build() }} as _built_at

from forward
