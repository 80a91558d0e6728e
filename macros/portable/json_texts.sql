{#- The texts of a JSON array, as an array. -#}
{% macro json_texts(json_array) -%}
    from_json({{ json_array }}, '["varchar"]')
{%- endmacro %}
