{#- Rows of observation_date from the first to the last date in steps of a day, a Monday-based week, or a month. -#}
{% macro date_grid(first_date, last_date, cadence) -%}
    select cast(unnest(generate_series(
        date_trunc('{{ cadence }}', {{ first_date }}), {{ last_date }}, interval 1 {{ cadence }}
    )) as date) as observation_date
{%- endmacro %}
