{#- Columns of a CRM record that the golden record chooses one by one, each from the record that is believed. -#}
{% macro golden_columns() %}
    {{ return([
        'email', 'phone', 'loyalty_key', 'full_name', 'country', 'postal_code', 'city', 'acquisition_channel', 'attributes',
        'birth_date', 'created_at',
    ]) }}
{% endmacro %}
