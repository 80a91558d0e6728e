{#- What a customer wrote: subject and body as one text; null where both are empty. -#}
{% macro written_text(subject, body) -%}
    nullif(trim(concat_ws(chr(10), {{ subject }}, {{ body }})), '')
{%- endmacro %}
