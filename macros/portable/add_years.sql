{#- The same day some years later; 29 February becomes the 28th in a year without it. -#}
{% macro add_years(date, years) -%}
    cast({{ date }} + interval 1 year * cast({{ years }} as integer) as date)
{%- endmacro %}
