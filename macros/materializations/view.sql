{#-
    A view in the lake. Unlike dbt's own, it is created again only when its text has changed, and replaced within one transaction:
    with every change of schema all who use the lake read its whole catalogue again.
-#}
{% materialization view, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set view = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and existing.is_view and not should_full_refresh() and is_view_of(existing, sql) %}
        {% call noop_statement('main', 'UNCHANGED') %}{% endcall %}
    {% else %}
        {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(view, sql) }}
        {%- endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [view]}) }}
{% endmaterialization %}


{#- Does a view have this text, as the engine writes it? -#}
{% macro is_view_of(view, sql) %}
    {% if config.get('contract').enforced %}{% do get_assert_columns_equivalent(sql) %}{% endif %}
    {% do run_query('create or replace temporary view view_as_compiled as (' ~ sql ~ ')') %}
    {% set texts = run_query(
        "select count(distinct regexp_extract(sql, '^CREATE.*? AS (.*)$', 1, 's')) from duckdb_views() where (database_name = 'temp'"
        ~ " and view_name = 'view_as_compiled') or (database_name = '" ~ view.database ~ "' and schema_name = '" ~ view.schema
        ~ "' and view_name = '" ~ view.identifier ~ "')"
    ) %}
    {{ return(texts.columns[0][0] == 1) }}
{% endmacro %}
