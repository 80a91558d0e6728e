{#- The first element of a list that another list does not hold; null: there is none. -#}
{% macro first_not_in(elements, others) -%}
    list_filter({{ elements }}, lambda element: not list_contains({{ others }}, element))[1]
{%- endmacro %}
