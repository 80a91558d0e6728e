-- Pairs that are joined at a moment and yet lie in different groups: identity_rounds is too small for the longest chain.
with edges as (

    select * from {{ ref('int_identity_edges') }}

),

components as (

    select * from {{ ref('int_identity_components') }}

),

groups as (

    select * from {{ ref('int_identity_groups') }}

),

refused as (

    select * from {{ ref('int_identity_edges_refused') }}

),

apart as (

    select
        edges.record_id,
        edges.other_record_id,
        edges.known_at

    -- Left joins: else an engine may join components with all others first.
    from edges
    left join components on edges.record_id = components.record_id
    left join components as other_components on edges.other_record_id = other_components.record_id

    where components.component_id is distinct from other_components.component_id

    union all

    select
        edges.record_id,
        edges.other_record_id,
        groups.starts_at as known_at

    from edges
    inner join groups
        on
            edges.record_id = groups.record_id
            and edges.known_at <= groups.starts_at
            and coalesce(edges.dropped_at, timestamp '9999-12-31') > groups.starts_at
    left join groups as other_groups
        on
            edges.other_record_id = other_groups.record_id
            and groups.starts_at = other_groups.starts_at
    left join refused
        on
            groups.starts_at = refused.starts_at
            and edges.record_id = refused.record_id
            and edges.other_record_id = refused.other_record_id

    where groups.group_id is distinct from other_groups.group_id and refused.record_id is null

)

select * from apart
