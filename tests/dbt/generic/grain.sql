{#-
    Rows that share the columns a model declares as its grain (config.meta.grain), or lack one of them. Before the marts a row may be
    undated or open-ended; after, `nullable` names what may be null.
-#}
{% test grain(model, nullable=[]) %}
    {%- set grain = [] -%}
    {%- set required = [] -%}
    {%- set nodes = [] -%}
    {%- for node in (graph.nodes.values() if execute else []) if node.resource_type == 'model' and node.alias == model.identifier -%}
        {%- do nodes.append(node) -%}
        {%- do grain.extend(node.config.meta.grain) -%}
        {%- if node.fqn[1] not in ('staging', 'intermediate') -%}
            {%- do required.extend(node.config.meta.grain | reject('in', nullable)) -%}
        {%- endif -%}
    {%- endfor -%}
select
    {{ grain | join(', ') or 'null' }},
    count(*) as row_count

from {{ tested_rows(model, nodes[0], grain) if nodes else model }}

group by {{ grain | join(', ') or '()' }}

having
    count(*) > 1
    {%- for column in required %}
    or {{ column }} is null
    {%- endfor %}
{% endtest %}
