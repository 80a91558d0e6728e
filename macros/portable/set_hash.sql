{#- A number that is equal for equal sets of values, in whatever order; another engine or version of one may compute it differently. -#}
{% macro set_hash(column) -%}
    bit_xor(hash({{ column }}))
{%- endmacro %}
