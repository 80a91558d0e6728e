{#- A text in lower case and composed (NFC), without blanks and invisible characters at its ends: what looks the same is the same. -#}
{% macro in_one_spelling(text) -%}
    lower(nfc_normalize(regexp_replace({{ text }}, '^[\p{Z}\p{C}]+|[\p{Z}\p{C}]+$', '', 'g')))
{%- endmacro %}
