-- Records that were ever joined, directly or through others: only within such a component can identity change.
with edges as (

    select
        1 as graph,
        record_id as node,
        other_record_id as other_node

    from {{ ref('int_identity_edges') }}

),

{{ connected_components('edges') }},

records as (

    select
        node as record_id,
        component as component_id

    from components

)

select * from records
