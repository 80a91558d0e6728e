{#-
    A table in the lake. Unlike dbt's own, it keeps the table when its columns stay as they are and exchanges the rows, within one
    transaction: with every change of schema all who use the lake read its whole catalogue again.
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set table = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and existing.is_table and not should_full_refresh() and has_columns_of(existing, compiled_code) %}
        {% call statement('main') -%}
            delete from {{ table }};
            insert into {{ table }} by name (
                {{ compiled_code }}
            );
        {%- endcall %}
    {% else %}
        {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% call statement('main') -%}
            {{ create_table_as(False, table, compiled_code) }}
        {%- endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}


{#- Does a table have the columns, in order and with their types, that a query gives? -#}
{% macro has_columns_of(table, sql) %}
    {% if config.get('contract').enforced %}{% do get_assert_columns_equivalent(sql) %}{% endif %}
    {% set there = run_query('describe ' ~ table) %}
    {% set wanted = run_query('describe (' ~ sql ~ ')') %}
    {{ return(
        there.columns[0].values() == wanted.columns[0].values() and there.columns[1].values() == wanted.columns[1].values()
    ) }}
{% endmacro %}
