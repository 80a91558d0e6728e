-- The moments at which who is joined with whom changes, per component: identity holds still from one to the next.
with edges as (

    select
        components.component_id,
        edges.known_at,
        edges.dropped_at

    from {{ ref('int_identity_edges') }} as edges
    inner join {{ ref('int_identity_components') }} as components on edges.record_id = components.record_id

),

slices as (

    select
        component_id,
        known_at as starts_at

    from edges

    union

    select
        component_id,
        dropped_at as starts_at

    from edges

    where dropped_at is not null

    union

    select
        components.component_id,
        matches.known_at as starts_at

    from {{ ref('int_matches_reviewed') }} as matches
    inner join {{ ref('int_identity_components') }} as components on matches.record_id = components.record_id
    inner join {{ ref('int_identity_components') }} as other_components
        on
            matches.other_record_id = other_components.record_id
            and components.component_id = other_components.component_id

    where not matches.is_match

)

select * from slices
