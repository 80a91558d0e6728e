{#- Every version of every staged row under every version of its customer's identity: known from when both were, until either was
    replaced. A row belongs to the customer that its key belonged to at the time. -#}
{% macro versions_by_customer(rows) -%}
select
    keys.customer_id,
    stated.* exclude (known_at, superseded_at, _built_at),
    greatest(stated.known_at, keys.known_at) as known_at,
    least(stated.superseded_at, keys.superseded_at) as superseded_at

from {{ rows }} as stated
inner join {{ ref('int_customer_keys_versioned') }} as keys
    on
        stated.source_system = keys.source_system
        and stated.customer_key = keys.customer_key
        and {{ overlap('keys', 'stated') }}
{%- endmacro %}
