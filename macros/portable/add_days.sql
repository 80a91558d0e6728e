{#- A date some days later; a negative number goes back. -#}
{% macro add_days(date, days) -%}
    ({{ date }} + cast({{ days }} as integer))
{%- endmacro %}
