{#-
    Which nodes hang together: CTEs that end in `components` (graph, node, component), component being the smallest node of each.

    edges: a CTE or relation with the columns graph, node, other_node. Edges of different graphs never touch.

    Nodes are numbered first, in their order: numbers are compared and grouped in a fraction of the time that names take.
    Alternating stars (Kiveris et al., "Connected Components in MapReduce and Beyond", SoCC 2014): every node in turn hands its
    larger neighbours, then its smaller ones, to the smallest node that it knows, until only stars are left. Each pass reads the one
    before it once, so the statement grows by the rounds and not by their power, and no engine needs recursion. Six rounds solve any
    chain of 50 nodes, ten any of 1,000. tests/dbt/identity_rounds_suffice.sql fails when there were too few.
-#}
{% macro connected_components(edges, rounds=none) -%}
nodes as (

    select
        graph,
        node,
        row_number() over (order by graph, node) as number

    from (
        select graph, node from {{ edges }}
        union
        select graph, other_node as node from {{ edges }}
    ) as ends

),

ordered_edges as (

    select distinct
        greatest(nodes.number, other_nodes.number) as node,
        least(nodes.number, other_nodes.number) as parent

    -- Every edge finds its nodes; left joins keep an engine from joining nodes with nodes, of one graph, first.
    from {{ edges }} as named
    left join nodes on named.graph = nodes.graph and named.node = nodes.node
    left join nodes as other_nodes on named.graph = other_nodes.graph and named.other_node = other_nodes.node

    where named.node != named.other_node

),
{% for round in range(rounds or var('identity_rounds')) %}
{%- set previous = 'ordered_edges' if loop.first else 'small_stars_' ~ (loop.index - 1) %}
neighbours_{{ loop.index }} as (

    select
        case when directions.is_forward then edges.node else edges.parent end as node,
        case when directions.is_forward then edges.parent else edges.node end as neighbour

    from {{ previous }} as edges
    cross join (select true as is_forward union all select false as is_forward) as directions

),

large_stars_{{ loop.index }} as (

    select
        node,
        neighbour,
        least(node, min(neighbour) over (partition by node)) as smallest

    from neighbours_{{ loop.index }}

),

large_edges_{{ loop.index }} as (

    select distinct
        neighbour as node,
        smallest as parent

    from large_stars_{{ loop.index }}

    where neighbour > node

),

small_edges_{{ loop.index }} as (

    select
        node,
        parent,
        min(parent) over (partition by node) as smallest

    from large_edges_{{ loop.index }}

),

small_stars_{{ loop.index }} as (

    select distinct
        case when parent = smallest then node else parent end as node,
        smallest as parent

    from small_edges_{{ loop.index }}

),
{% if loop.last %}
members as (

    select
        node,
        parent

    from small_stars_{{ loop.index }}

    union all

    select
        parent as node,
        parent

    from small_stars_{{ loop.index }}

),
{%- endif %}
{%- endfor %}

found as (

    select
        node,
        min(parent) as component

    from members

    group by node

),

components as (

    select
        nodes.graph,
        nodes.node,
        roots.node as component

    from found
    inner join nodes on found.node = nodes.number
    inner join nodes as roots on found.component = roots.number

)
{%- endmacro %}
