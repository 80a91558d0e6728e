{#- Decisions read predictions as sources. Until `millpond score` has filled them they are there, typed and empty;
    a lake of an earlier version gets the columns that came since. -#}
{% macro create_prediction_tables() %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run', 'seed', 'snapshot') %}
        {%- set query %}
            select table_name, table_name || '.' || column_name as column_name
            from information_schema.columns
            where table_catalog = '{{ target.database }}' and table_schema = 'predictions'
        {%- endset %}
        {#- Not `adapter.get_columns_in_relation`: that begins a transaction, which nobody would commit. -#}
        {%- set known = run_query(query).columns %}
        {% for table in graph.sources.values() if table.source_name == 'predictions' %}
            {%- set name = table.schema ~ '.' ~ table.identifier %}
            {%- set is_known = table.identifier in known[0].values() %}
            create schema if not exists {{ table.database }}.{{ table.schema }};

            create table if not exists {{ table.database }}.{{ name }} (
                {% for column in table.columns.values() -%}
                {{ column.name }} {{ column.data_type }}{{ ', ' if not loop.last }}
                {% endfor %}
            );
            {%- for column in table.columns.values() if is_known and table.identifier ~ '.' ~ column.name not in known[1].values() %}

            alter table {{ table.database }}.{{ name }} add column {{ column.name }} {{ column.data_type }};
            {%- endfor %}
        {% endfor %}
    {% endif %}
{% endmacro %}
