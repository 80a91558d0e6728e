{#-
    A table that is incremental, and made anew is computed some dates at a time (docs/adr/0027), or some customers at a time where
    meta.batch_by says so. All of it is one transaction.
-#}
{% materialization history, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if model.config.meta.batch_by == 'customers' -%}{%- set batches = [] if last_built_at() else batches_of_customers() -%}
    {%- else -%}{%- set batches = [] if is_incremental() else batches_of_dates() -%}
    {%- endif -%}
    {%- if batches | length < 2 -%}{{ return(dbt.materialization_incremental_duckdb()) }}{%- endif -%}

    {%- set table = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
    {% call statement('main') -%}
        {%- for batch in batches %}
        {{ begin_batch(batch[0], batch[1]) }}
        {% if loop.first %}{{ create_table_as(False, table, compiled_code) }}
        {%- else %}insert into {{ table }} by name ({{ compiled_code }});
        {%- endif %}
        {%- endfor %}
        {{ end_batches() }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}


{#- As dbt has it, for both kinds of tables that grow. -#}
{% macro is_incremental() %}
    {% if not execute or should_full_refresh() or model.config.materialized not in ('incremental', 'history') %}{{ return(false) }}{% endif %}
    {% set existing = adapter.get_relation(this.database, this.schema, this.identifier) %}
    {{ return(existing is not none and existing.is_table) }}
{% endmacro %}


{#- First and last dates of runs of observations, each of so many customers and dates as the variable allows, or of one date. -#}
{% macro batches_of_dates() %}
    {{ return(run_query(
        'select min(observation_date), max(observation_date) from (select observation_date, '
        ~ '(sum(customers) over (order by observation_date) - customers) // ' ~ var('observations_per_batch') ~ ' as batch from '
        ~ ref('int_observations_counted') ~ ') as dates group by batch order by 1'
    ).rows) }}
{% endmacro %}


{#- First and last ids of as many customers as the variable allows. -#}
{% macro batches_of_customers() %}
    {{ return(run_query(
        'select min(customer_id), max(customer_id) from (select customer_id, (row_number() over (order by customer_id) - 1) // '
        ~ var('customers_per_batch') ~ ' as batch from (select distinct customer_id from ' ~ ref('int_customer_keys_versioned') ~ ')) group by batch order by 1'
    ).rows) }}
{% endmacro %}
