{#-
    dbt's own, but a feature model that is made anew computes its history some dates at a time, so that memory does not grow with the
    length of the history: what a customer adds up to is held once per date. All of it is one transaction.
-#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set batches = [] -%}
    {%- if model.fqn[1] == 'features' and (existing is none or should_full_refresh()) -%}
        {%- do batches.extend(batches_of_dates()) -%}
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


{#- First and last dates of runs of observations, each of so many customers and dates as the variable allows, or of one date. -#}
{% macro batches_of_dates() %}
    {{ return(run_query(
        'select min(observation_date), max(observation_date) from (select observation_date, '
        ~ '(sum(customers) over (order by observation_date) - customers) // ' ~ var('observations_per_batch') ~ ' as batch from '
        ~ ref('int_observations_counted') ~ ') as dates group by batch order by 1'
    ).rows) }}
{% endmacro %}
