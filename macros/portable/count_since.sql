{#- How many dates of a list are not before a date. -#}
{% macro count_since(dates, date) -%}
    len(list_filter({{ dates }}, lambda one: one >= {{ date }}))
{%- endmacro %}
