{#-
    The table of a feature model: incremental, and made anew it computes its history some dates at a time, so that memory does not grow
    with the length of the history, for what a customer adds up to is held once per date. All of it is one transaction.
-#}
{% materialization history, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set batches = [] if is_incremental() else batches_of_dates() -%}
    {%- if batches | length < 2 -%}{{ return(dbt.materialization_incremental_duckdb()) }}{%- endif -%}

    {%- set table = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
    {% call statement('main') -%}
        {%- for batch in batches %}
        {{ begin_batch(batch[0], batch[1]) }}
        {% if loop.first %}{{ create_table_as(False, table, compiled_code) }}
        {%- else %}insert into {{ table }} {{ get_column_names() }} ({{ get_select_subquery(compiled_code) }});
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
