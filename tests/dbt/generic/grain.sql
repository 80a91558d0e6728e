{#- Rows that share the columns a model declares as its grain (config.meta.grain), or lack one that may not be null. -#}
{% test grain(model, nullable=[]) %}
    {%- set grain = [] -%}
    {%- for node in (graph.nodes.values() if execute else []) if node.resource_type == 'model' and node.alias == model.identifier -%}
        {%- do grain.extend(node.config.meta.grain) -%}
    {%- endfor -%}
select
    {{ grain | join(', ') or 'null' }},
    count(*) as row_count

from {{ model }}

group by {{ grain | join(', ') or '()' }}

having
    count(*) > 1
    {%- for column in grain if column not in nullable %}
    or {{ column }} is null
    {%- endfor %}
{% endtest %}
