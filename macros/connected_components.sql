{#-
    Which nodes hang together: CTEs that end in `components` (graph, node, component), component being the smallest node of each.

    edges: a CTE or relation with the columns graph, node, other_node. Edges of different graphs never touch.

    Alternating stars (Kiveris et al., "Connected Components in MapReduce and Beyond", SoCC 2014): every node in turn hands its
    larger neighbours, then its smaller ones, to the smallest node that it knows, until only stars are left. Each pass reads the one
    before it once, so the statement grows by the rounds and not by their power, and no engine needs recursion. Six rounds solve any
    chain of 50 nodes, ten any of 1,000. tests/dbt/identity_rounds_suffice.sql fails when there were too few.
-#}
{% macro connected_components(edges, rounds=none) -%}
ordered_edges as (

    select distinct
        graph,
        greatest(node, other_node) as node,
        least(node, other_node) as parent

    from {{ edges }}

    where node != other_node

),
{% for round in range(rounds or var('identity_rounds')) %}
{%- set previous = 'ordered_edges' if loop.first else 'small_stars_' ~ (loop.index - 1) %}
neighbours_{{ loop.index }} as (

    select
        edges.graph,
        case when directions.is_forward then edges.node else edges.parent end as node,
        case when directions.is_forward then edges.parent else edges.node end as neighbour

    from {{ previous }} as edges
    cross join (select true as is_forward union all select false as is_forward) as directions

),

large_stars_{{ loop.index }} as (

    select
        graph,
        node,
        neighbour,
        least(node, min(neighbour) over (partition by graph, node)) as smallest

    from neighbours_{{ loop.index }}

),

large_edges_{{ loop.index }} as (

    select distinct
        graph,
        neighbour as node,
        smallest as parent

    from large_stars_{{ loop.index }}

    where neighbour > node

),

small_edges_{{ loop.index }} as (

    select
        graph,
        node,
        parent,
        min(parent) over (partition by graph, node) as smallest

    from large_edges_{{ loop.index }}

),

small_stars_{{ loop.index }} as (

    select distinct
        graph,
        case when parent = smallest then node else parent end as node,
        smallest as parent

    from small_edges_{{ loop.index }}

),
{% if loop.last %}
members as (

    select
        graph,
        node,
        parent

    from small_stars_{{ loop.index }}

    union all

    select
        graph,
        parent as node,
        parent

    from small_stars_{{ loop.index }}

),
{%- endif %}
{%- endfor %}

components as (

    select
        graph,
        node,
        min(parent) as component

    from members

    group by graph, node

)
{%- endmacro %}
