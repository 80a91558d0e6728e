{#- A number that is equal for equal sets of values, in whatever order. Never stored beyond a build: engines compute it differently. -#}
{% macro set_hash(column) -%}
    bit_xor(hash({{ column }}))
{%- endmacro %}
