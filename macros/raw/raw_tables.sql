{#- All tables of the raw contract as [family, table]. -#}
{% macro raw_tables() %}
    {{ return([
        ['crm', 'customers'],
        ['crm', 'consents'],
        ['crm', 'occasions'],
        ['crm', 'cases'],
        ['crm', 'assets'],
        ['crm', 'asset_readings'],
        ['invoices', 'products'],
        ['invoices', 'invoices'],
        ['invoices', 'lines'],
        ['communications', 'campaigns'],
        ['communications', 'messages'],
        ['communications', 'events'],
        ['communications', 'visits'],
    ]) }}
{% endmacro %}
