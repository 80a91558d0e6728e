{#- A text as its words in lower case, each with a space before it and one after the last; anything but letters and digits parts them. -#}
{% macro words_of(text) -%}
    ' ' || trim(regexp_replace(lower({{ text }}), '[^\p{L}\p{N}]+', ' ', 'g')) || ' '
{%- endmacro %}
