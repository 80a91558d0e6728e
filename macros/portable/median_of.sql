{#- The median of the numbers of a list, without its nulls. -#}
{% macro median_of(numbers) -%}
    list_median({{ numbers }})
{%- endmacro %}
