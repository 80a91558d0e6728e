{#- The currency in which amounts are told: the variable, or that of the earliest invoice that names one. -#}
{% macro lake_currency() %}
    {% if var('currency') or not execute or target.name == 'lint' or model.resource_type == 'unit_test' %}
        {{ return(var('currency') or 'USD') }}
    {% endif %}
    {% set base = base_table('invoices', 'invoices') %}
    {% set built = earliest_currency(["select currency, invoiced_at from " ~ base ~ " where row_status != 'rejected'"]) if base %}
    {% if built %}{{ return(built) }}{% endif %}
    {#- No invoice is in the lake yet, though other families may be. -#}
    {% set named = [] %}
    {% set files = unread_files('invoices', 'invoices', base=none) %}
    {% for format in files if 'currency' in found_columns(format, files[format]) %}
        {% do named.append("select nullif(trim(cast(currency as varchar)), '') as currency, try_cast(invoiced_at as timestamp) as invoiced_at from " ~ read_files(format, files[format])) %}
    {% endfor %}
    {{ return((earliest_currency(named) if named) or 'USD') }}
{% endmacro %}


{#- Of the invoices of some queries. What happened before 1900 or is still to come will be rejected, and says nothing. -#}
{% macro earliest_currency(queries) %}
    {{ return(run_query(
        'select min_by(currency, invoiced_at) from (' ~ queries | join(' union all ') ~ ")
        where invoiced_at >= timestamp '1900-01-01' and invoiced_at <= " ~ clock()
    ).columns[0][0]) }}
{% endmacro %}


{#- Rates that came with the raw data: <home>/raw/exchange_rates.csv, of the seed's columns. -#}
{% macro landed_exchange_rates() -%}
    {%- set file = raw_folder() ~ '/exchange_rates.csv' -%}
    {%- if execute and target.name != 'lint' and model.resource_type != 'unit_test' and run_query('select 1 from glob(' ~ quoted(file) ~ ')').rows -%}
        select currency, rated_on, rate
        from read_csv({{ quoted(file) }}, header = true, columns = {'currency': 'varchar', 'rated_on': 'date', 'rate': 'decimal(18,8)'})
    {%- else -%}
        select cast(null as varchar) as currency, cast(null as date) as rated_on, cast(null as decimal(18, 8)) as rate where false
    {%- endif -%}
{%- endmacro %}


{#- Why an invoice cannot be told in the lake's currency, or null: a rate is missing on its day. A guess would be worse than no row. -#}
{% macro missing_rate() -%}
    {%- set currency = lake_currency() -%}
    case
        when
            typed.currency != '{{ currency }}'
            and (typed.currency, cast(typed.invoiced_at as date)) not in (
                select
                    rates.currency,
                    rates.rate_date
                from {{ ref('stg_invoices__exchange_rates') }} as rates
                inner join {{ ref('stg_invoices__exchange_rates') }} as lake_rates on rates.rate_date = lake_rates.rate_date
                where lake_rates.currency = '{{ currency }}'
            )
            then 'no exchange rate into {{ currency }}: ' || {{ shown('typed.currency') }} || ' on ' || cast(typed.invoiced_at as date)
    end
{%- endmacro %}


{#- An amount in the lake's currency; unknown stays unknown. -#}
{% macro converted(amount) -%}
    cast({{ amount }} * coalesce(rates.rate / lake_rates.rate, 1) as decimal(18, 4))
{%- endmacro %}
