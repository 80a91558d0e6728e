{#- From here on the conditions below mean what lies from one date or customer to another; in the session that says so. -#}
{% macro begin_batch(first, last) -%}
    set variable first_of_batch = '{{ first }}'; set variable last_of_batch = '{{ last }}';
{%- endmacro %}


{% macro end_batches() -%}
    reset variable first_of_batch; reset variable last_of_batch;
{%- endmacro %}


{#- Condition: a date is one of those that are computed now; outside of batches it always is. -#}
{% macro in_batch(date) -%}
    {{ date }} between cast(coalesce(getvariable('first_of_batch'), '0001-01-01') as date) and cast(coalesce(getvariable('last_of_batch'), '9999-12-31') as date)
{%- endmacro %}


{#- Condition: so is a customer. -#}
{% macro customer_in_batch(customer_id) -%}
    {{ customer_id }} between coalesce(getvariable('first_of_batch'), '') and coalesce(getvariable('last_of_batch'), '~')
{%- endmacro %}
