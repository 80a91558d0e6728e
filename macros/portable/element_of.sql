{#- The element of a list at a place, from 1; null: the list is shorter. -#}
{% macro element_of(elements, place) -%}
    list_extract({{ elements }}, {{ place }})
{%- endmacro %}
