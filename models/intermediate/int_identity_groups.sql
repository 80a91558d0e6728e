-- Which records were joined with each other, from each moment at which that changed until the next.
-- On their own: with slices in one join, an engine may join edges with moments by time first.
with joined_ever as (

    select
        edges.*,
        components.component_id

    from {{ ref('int_identity_edges') }} as edges
    inner join {{ ref('int_identity_components') }} as components on edges.record_id = components.record_id

),

edges as (

    select
        slices.starts_at as graph,
        edges.record_id as node,
        edges.other_record_id as other_node

    from joined_ever as edges
    inner join {{ ref('int_identity_slices') }} as slices
        on
            edges.component_id = slices.component_id
            and edges.known_at <= slices.starts_at
            and coalesce(edges.dropped_at, timestamp '9999-12-31') > slices.starts_at
    left join {{ ref('int_identity_edges_refused') }} as refused
        on
            slices.starts_at = refused.starts_at
            and edges.record_id = refused.record_id
            and edges.other_record_id = refused.other_record_id

    where refused.record_id is null

),

{{ connected_components('edges') }},

records as (

    select
        node as record_id,
        component as group_id,
        graph as starts_at

    from components

)

select * from records
