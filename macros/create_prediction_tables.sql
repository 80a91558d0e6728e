{#- Decisions read predictions as sources. Until `millpond score` has filled them they are there, typed and empty. -#}
{% macro create_prediction_tables() %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run', 'seed', 'snapshot') %}
        {% for table in graph.sources.values() if table.source_name == 'predictions' %}
            create schema if not exists {{ table.database }}.{{ table.schema }};

            create table if not exists {{ table.database }}.{{ table.schema }}.{{ table.identifier }} (
                {% for column in table.columns.values() -%}
                {{ column.name }} {{ column.data_type }}{{ ', ' if not loop.last }}
                {% endfor %}
            );
        {% endfor %}
    {% endif %}
{% endmacro %}
