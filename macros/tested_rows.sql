{#-
    Which rows of a model a test of its grain looks at (docs/adr/0024). `dbt test` and a full refresh look at all. Any other build looks at
    the keys of rows that it wrote. A view has no rows of its own: of one that people read a build looks at a sixteenth of the keys, every
    day another one; one that tables are made of shows its faults in theirs.
-#}
{% macro tested_rows(relation, node, grain) %}
    {%- if not execute or flags.WHICH != 'build' or flags.FULL_REFRESH or target.name == 'lint' or node.config.materialized == 'table' -%}
        {{ relation }}
    {%- elif node.config.materialized == 'view' -%}
        {%- if node.fqn[1] in ('staging', 'intermediate') -%}(select * from {{ relation }} where false)
        {%- else -%}
            {%- set keys = grain | select('in', ['customer_id', 'invoice_id', 'message_id', 'visit_id']) | list or grain -%}
            (select * from {{ relation }} where {{ is_turn_of(keys[0]) }})
        {%- endif -%}
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


{#-
    Whether it is a key's turn today: every day of sixteen, one share of all keys. A customer's id is a hash, whose first digit the engine
    looks for in every scan; that of another key it would take after all joins.
-#}
{% macro is_turn_of(key) -%}
    {%- set turn = run_started_at.toordinal() % 16 -%}
    {%- if key == 'customer_id' -%}left({{ key }}, 1) = '{{ '0123456789abcdef'[turn] }}'
    {%- else -%}{{ row_hash([key]) }} % 16 = {{ turn }}
    {%- endif -%}
{%- endmacro %}
