{#- Not too many rows of any raw table were rejected; else the build stops with the name of the table. -#}
{%- for family, table in raw_tables() %}{% do ref('base_' ~ family ~ '__' ~ table) %}{% endfor -%}
{%- if execute and target.name != 'lint' %}{% do require_few_rejected() %}{% endif -%}
select 1 as misleading_table

where false
