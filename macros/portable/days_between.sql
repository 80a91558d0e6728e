{#- Whole days from one date to another; negative when the second is earlier. -#}
{% macro days_between(from_date, to_date) -%}
    ({{ to_date }} - {{ from_date }})
{%- endmacro %}
