{#- How many numbers of a list are above a number; nulls are not. -#}
{% macro count_above(numbers, number) -%}
    len(list_filter({{ numbers }}, lambda one: one > {{ number }}))
{%- endmacro %}
