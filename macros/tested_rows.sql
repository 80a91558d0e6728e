{#-
    Which rows of a model a test of its grain looks at (docs/adr/0024). `dbt test` and a full refresh look at all. Any other build looks at
    the keys of rows that it wrote. A view has no rows of its own: of one that people read a build looks at a sixteenth of the customers,
    every day other ones, and those of no customer; one that tables are made of shows its faults in theirs.
-#}
{% macro tested_rows(relation, node, grain) %}
    {%- if not execute or flags.WHICH != 'build' or flags.FULL_REFRESH or target.name == 'lint' or node.config.materialized == 'table' -%}
        {{ relation }}
    {%- elif node.config.materialized == 'view' -%}
        {#- A customer's id is a hash, whose first digit the engine looks for in every scan. -#}
        {%- set is_turn = "coalesce(left(customer_id, 1) = '" ~ '0123456789abcdef'[run_started_at.toordinal() % 16] ~ "', true)" -%}
        (select * from {{ relation }} where {{ 'false' if node.fqn[1] in ('staging', 'intermediate') else is_turn }})
    {%- else -%}
        {#- The engine knows no time after its last snapshot, and a build may write nothing: so from the one before, whose rows are few. -#}
        {%- set before = run_query('select taken_at from memory.main.last_snapshot').columns[0][0] -%}
    (
        select * from {{ relation }} as tested

        where exists (

            select 1

            from ducklake_table_insertions(
                '{{ relation.database }}', '{{ relation.schema }}', '{{ relation.identifier }}', timestamptz '{{ before }}', now()
            ) as written

            where
                {%- for column in grain %}
                {{ 'and ' if not loop.first }}written.{{ column }} is not distinct from tested.{{ column }}
                {%- endfor %}

        )
    ){%- endif -%}
{% endmacro %}


{#- The relation of a model that is not among what the caller names; none: it was not built. -#}
{% macro built_relation(name) %}
    {% set node = graph.nodes.values() | selectattr('name', 'equalto', name) | first %}
    {{ return(adapter.get_relation(node.database, node.schema, node.alias)) }}
{% endmacro %}
