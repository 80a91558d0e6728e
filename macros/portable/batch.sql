{#- From here on in_batch means these dates; in the session that says so. -#}
{% macro begin_batch(first_date, last_date) -%}
    set variable first_date_of_batch = date '{{ first_date }}'; set variable last_date_of_batch = date '{{ last_date }}';
{%- endmacro %}


{% macro end_batches() -%}
    reset variable first_date_of_batch; reset variable last_date_of_batch;
{%- endmacro %}


{#- Condition: a date is one of those that are computed now; outside of batches it always is. -#}
{% macro in_batch(date) -%}
    {{ date }} between coalesce(getvariable('first_date_of_batch'), date '0001-01-01') and coalesce(getvariable('last_date_of_batch'), date '9999-12-31')
{%- endmacro %}
