{#- A number that is equal for rows of equal content. Never stored: engines compute it differently. -#}
{% macro row_hash(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}
