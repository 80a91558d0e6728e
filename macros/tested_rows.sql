{#-
    Which rows of a model a test of its grain looks at (docs/adr/0024). `dbt test`, and a build that made the model anew, look at all. Any
    other build looks at the keys of rows that it wrote. A view has no rows of its own: of one that people read a build looks at a sixteenth
    of the keys, every day another one; one that tables are made of shows its faults in theirs.
-#}
{% macro tested_rows(relation, node, grain) %}
    {%- if not execute or flags.WHICH != 'build' or flags.FULL_REFRESH or target.name == 'lint' or node.config.materialized == 'table' -%}
        {{ relation }}
    {%- elif was_made_now(relation) -%}
        {{ relation }}
    {%- elif node.config.materialized == 'view' -%}
        {%- if node.fqn[1] in ('staging', 'intermediate') -%}(select * from {{ relation }} where false)
        {%- else -%}
            {%- set keys = grain | select('in', ['customer_id', 'invoice_id', 'message_id', 'visit_id']) | list or grain -%}
            (select * from {{ relation }} where {{ is_turn_of(keys[0], one_in=16) }})
        {%- endif -%}
    {%- else -%}
        {%- set first_snapshot = run_query(snapshots_of_this_build('min(snapshot_id)')).columns[0][0] -%}
        {%- if first_snapshot is none -%}(select * from {{ relation }} where false)
        {%- else -%}(
            select * from {{ relation }} as tested

            where exists (

                select 1

                from ducklake_table_insertions(
                    '{{ relation.database }}', '{{ relation.schema }}', '{{ relation.identifier }}',
                    {{ first_snapshot }}, {{ run_query(snapshots_of_this_build('max(snapshot_id)')).columns[0][0] }}
                ) as written

                where
                    {%- for column in grain %}
                    {{ 'and ' if not loop.first }}written.{{ column }} is not distinct from tested.{{ column }}
                    {%- endfor %}

            )
        ){%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- Whether this build made a table or view that was not there, or was another one. -#}
{% macro was_made_now(relation) -%}
    {%- set name = quoted(relation.schema ~ '.' ~ relation.identifier) -%}
    {{ return(run_query(snapshots_of_this_build(
        "coalesce(bool_or(list_contains(changes['tables_created'], " ~ name ~ ") or list_contains(changes['views_created'], " ~ name ~ ")), false)"
    )).columns[0][0]) }}
{%- endmacro %}


{% macro snapshots_of_this_build(columns) -%}
    select {{ columns }} from ducklake_snapshots('{{ target.database }}') where timezone('UTC', snapshot_time) >= {{ this_build() }}
{%- endmacro %}


{#- Whether it is a key's turn today: every day of as many, one share of all keys. -#}
{% macro is_turn_of(key, one_in) -%}
    {{ row_hash([key]) }} % {{ one_in }} = {{ days_between("date '1970-01-01'", 'cast(' ~ clock() ~ ' as date)') }} % {{ one_in }}
{%- endmacro %}
