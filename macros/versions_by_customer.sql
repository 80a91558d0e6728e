{#- Every version of every staged row under every version of its customer's identity: known from when both were, until either was
    replaced. -#}
{% macro versions_by_customer(rows) -%}
select
    keys.customer_id,
    stated.* exclude (known_at, superseded_at, _built_at),
    greatest(stated.known_at, keys.known_at) as known_at,
    least(stated.superseded_at, keys.superseded_at) as superseded_at

from {{ rows }} as stated
inner join {{ ref('int_customer_keys_versioned') }} as keys on {{ owns('keys', 'stated') }}
{%- endmacro %}


{#- Condition: a version of a key says whose a versioned row was. It belongs to the customer that its key belonged to at the time. -#}
{% macro owns(keys, row) -%}
    {{ row }}.source_system = {{ keys }}.source_system
            and {{ row }}.customer_key = {{ keys }}.customer_key
            and {{ overlap(keys, row) }}
{%- endmacro %}
