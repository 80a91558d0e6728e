{#- The currency in which amounts are told: the variable, or that which keep_currency found. -#}
{% macro lake_currency() %}
    {% if var('currency') or not execute or target.name == 'lint' or model.resource_type == 'unit_test' %}
        {{ return(var('currency') or 'USD') }}
    {% endif %}
    {{ return(kept_currency() or 'USD') }}
{% endmacro %}


{#-
    Before a build: the lake keeps the currency that its first invoices gave it, lest amounts of one customer be told in two. Another one is
    a full refresh. An earlier invoice that comes later and would give another one is said, and changes nothing.
-#}
{% macro keep_currency() %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run') %}
        {% do run_query('create table if not exists ' ~ currency_table() ~ ' (currency varchar)') %}
        {#- A full refresh of other models leaves invoices as they were told. -#}
        {% set is_told_anew = flags.FULL_REFRESH and 'model.' ~ project_name ~ '.base_invoices__invoices' in selected_resources %}
        {% if is_told_anew %}{% do run_query('delete from ' ~ currency_table()) %}{% endif %}
        {% set kept = kept_currency() %}
        {% set earliest, invoiced_on = earliest_currency(base=none if is_told_anew else base_table('invoices', 'invoices')) %}
        {% if not kept and (var('currency') or earliest) %}
            {% do run_query('insert into ' ~ currency_table() ~ ' values (' ~ quoted(var('currency') or earliest) ~ ')') %}
        {% elif kept and (var('currency') or kept) != kept %}
            {% do raise_user_error('other_currency', 'the variable currency is ' ~ var('currency') ~ ', and the lake is told in ' ~ kept ~ ': build with --full-refresh, or set it to ' ~ kept) %}
        {% elif kept and not var('currency') and (earliest or kept) != kept %}
            {% do exceptions.warn('the earliest invoice, of ' ~ invoiced_on ~ ', is in ' ~ earliest ~ ', but came later than those that gave the lake ' ~ kept ~ ': set the variable currency to ' ~ kept ~ ', or to ' ~ earliest ~ ' and build with --full-refresh') %}
        {% endif %}
    {% endif %}
{% endmacro %}


{% macro currency_table() -%}
    {{ return(target.database ~ '.staging.lake_currency') }}
{%- endmacro %}


{#- None before the first build that saw invoices. -#}
{% macro kept_currency() %}
    {% set is_there = run_query("select 1 from duckdb_tables() where database_name = '" ~ target.database ~ "' and schema_name = 'staging' and table_name = 'lake_currency'").rows %}
    {% set kept = run_query('select currency from ' ~ currency_table()).rows if is_there %}
    {{ return(kept[0][0] if kept else none) }}
{% endmacro %}


{#-
    The currency and day of the earliest invoice that names one, in a base table, if there is one, and in files that it has not read; USD where
    none of them does. What happened before 1900 or is still to come will be rejected, and says nothing.
-#}
{% macro earliest_currency(base) %}
    {% set invoices = ["select currency, invoiced_at from " ~ base ~ " where row_status != 'rejected'"] if base else [] %}
    {% for group in unread_files('invoices', 'invoices', base=base) %}
        {% set found = found_columns(group) %}
        {% if 'invoiced_at' in found %}
            {% set currency = "nullif(trim(cast(currency as varchar)), '')" if 'currency' in found else 'null' %}
            {% do invoices.append('select ' ~ currency ~ ' as currency, ' ~ typed_column('invoiced_at', 'timestamp', found.invoiced_at) ~ ' as invoiced_at from ' ~ read_files(group)) %}
        {% endif %}
    {% endfor %}
    {{ return(run_query(
        "select coalesce(min_by(currency, invoiced_at), case when count(*) > 0 then 'USD' end), min(cast(invoiced_at as date)) filter (where currency is not null) from (" ~ invoices | join(' union all ') ~ ")
        where invoiced_at >= timestamp '1900-01-01' and invoiced_at <= " ~ clock()
    ).rows[0].values() if invoices else [none, none]) }}
{% endmacro %}


{#- Rates that came with the raw data: <home>/raw/exchange_rates.csv, of the seed's columns. -#}
{% macro landed_exchange_rates() -%}
    {%- set file = raw_folder() ~ '/exchange_rates.csv' -%}
    {%- set types = {'currency': 'varchar', 'rated_on': 'date', 'rate': 'decimal(18,8)'} -%}
    {%- if execute and target.name != 'lint' and model.resource_type != 'unit_test' and run_query('select 1 from glob(' ~ quoted(file) ~ ')').rows -%}
        {%- set rates = 'read_csv(' ~ quoted(file) ~ ", header = true, delim = ',', hive_partitioning = false" -%}
        {%- set found = run_query('describe from ' ~ rates ~ ', all_varchar = true)').columns[0].values() | map('lower') | list -%}
        {%- for column in types if column not in found -%}
            {%- do raise_user_error('missing_column', file ~ ' lacks the column ' ~ column ~ ': it needs currency, rated_on and rate, separated by commas') -%}
        {%- endfor -%}
        select currency, rated_on, rate
        from {{ rates }}, types = {{ types }})
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
                    currency,
                    rate_date
                from ({{ rates_into_lake_currency() }}) as rates
            )
            then 'no exchange rate into {{ currency }}: ' || {{ shown('typed.currency') }} || ' on ' || cast(typed.invoiced_at as date)
    end
{%- endmacro %}


{#- What an amount in each currency is times its rate in the lake's, day by day. -#}
{% macro rates_into_lake_currency() -%}
    select
        rates.currency,
        rates.rate_date,
        rates.rate / lake_rates.rate as rate

    from {{ ref('stg_invoices__exchange_rates') }} as rates
    inner join {{ ref('stg_invoices__exchange_rates') }} as lake_rates on rates.rate_date = lake_rates.rate_date

    where lake_rates.currency = '{{ lake_currency() }}'
{%- endmacro %}


{#- An amount in the lake's currency; unknown stays unknown, and without a rate it is. -#}
{% macro converted(amount) -%}
    cast({{ amount }} * case when invoices.currency != '{{ lake_currency() }}' then rates.rate else 1 end as decimal(18, 4))
{%- endmacro %}


{#- Before invoices are judged: where a rate is gone at which an accepted one was told, that one goes, and what follows from it. -#}
{% macro begin_anew_without_rates() %}
    {% if last_built_at() and flags.WHICH in ('build', 'run') %}
        {% set reason = run_query('select min(' ~ missing_rate() ~ ') from ' ~ this ~ " as typed where row_status != 'rejected'").columns[0][0] %}
        {% if reason %}{% do begin_anew(reason) %}{% endif %}
    {% endif %}
{% endmacro %}
