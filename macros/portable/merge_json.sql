{#- JSON objects merged into one; where they share a key, the later object wins. Null counts as empty. -#}
{% macro merge_json(objects) -%}
    cast(json_merge_patch({% for object in objects %}coalesce(cast({{ object }} as varchar), '{}'){{ ', ' if not loop.last }}{% endfor %}) as varchar)
{%- endmacro %}
