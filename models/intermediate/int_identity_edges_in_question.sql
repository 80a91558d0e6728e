-- What joins records that hang together with two whom a person has told apart, at each moment since, in the order in which it
-- counts: what people confirmed, then what became known first, then what joins to the older record.
-- A view: read once, by the model that refuses some of it.
{{ config(materialized='view') }}

with components as (

    select * from {{ ref('int_identity_components') }}

),

in_question as (

    select
        components.component_id,

        min(matches.known_at) as told_apart_at

    from {{ ref('int_matches_reviewed') }} as matches
    inner join components on matches.record_id = components.record_id
    inner join components as other_components
        on
            matches.other_record_id = other_components.record_id
            and components.component_id = other_components.component_id

    where not matches.is_match

    group by components.component_id

),

-- On their own: with slices in one join, an engine may join edges with moments by time first.
members as (

    select
        in_question.told_apart_at,
        components.component_id,
        edges.*

    from in_question
    inner join components on in_question.component_id = components.component_id
    inner join {{ ref('int_identity_edges') }} as edges on components.record_id = edges.record_id

),

edges as (

    select
        members.record_id,
        members.other_record_id,
        members.identifier_kind,
        row_number() over (
            partition by slices.component_id, slices.starts_at
            order by
                members.identifier_kind != 'confirmed', members.known_at, others.known_at, others.source_system, others.customer_key,
                members.record_id, members.identifier_kind
        ) as place,

        slices.starts_at

    from members
    inner join {{ ref('int_identity_slices') }} as slices
        on
            members.component_id = slices.component_id
            and members.told_apart_at <= slices.starts_at
            and members.known_at <= slices.starts_at
            and coalesce(members.dropped_at, timestamp '9999-12-31') > slices.starts_at
    inner join {{ ref('int_customer_keys_united') }} as others on members.other_record_id = others.record_id

)

select * from edges
