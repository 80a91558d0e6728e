{#- Condition: a row of consent_periods is the consent that held, and was known, just before an instant. -#}
{% macro consent_as_of(row, instant) -%}
    {{ known_as_of(row, instant) }}
            and {{ row }}.valid_from < {{ instant }}
            and coalesce({{ row }}.valid_to, date '9999-12-31') >= {{ instant }}
{%- endmacro %}
