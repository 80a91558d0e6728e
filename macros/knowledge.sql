{#-
    What a customer's rows add up to changes only when one of them becomes known or is replaced. These macros cut time at those days, so
    that it is added up once per change and not once per observation date. Rows have known_at and superseded_at as dates.
-#}


{#- Periods in which nothing that we knew of these keys changed; the last one has no end. -#}
{% macro knowledge_periods(rows, keys) -%}
    select
        {{ keys }},
        known_at,
        lead(known_at) over (partition by {{ keys }} order by known_at) as superseded_at

    from (
        select {{ keys }}, known_at from {{ rows }}
        union
        select {{ keys }}, superseded_at as known_at from {{ rows }} where superseded_at is not null
    ) as moments
{%- endmacro %}


{#- Condition: a row is part of what we knew in a period. -#}
{% macro known_in(row, period) -%}
    {{ row }}.known_at <= {{ period }}.known_at
            and coalesce({{ row }}.superseded_at, date '9999-12-31') > {{ period }}.known_at
{%- endmacro %}


{#- By how many the rows with these keys become more or fewer, per day. -#}
{% macro knowledge_changes(rows, keys) -%}
    select
        {{ keys }},
        known_at,
        sum(direction) as change

    from (
        select {{ keys }}, known_at, 1 as direction from {{ rows }}
        union all
        -- A row of tomorrow that was replaced today never was.
        select {{ keys }}, greatest(superseded_at, known_at) as known_at, -1 as direction from {{ rows }} where superseded_at is not null
    ) as directed

    group by {{ keys }}, known_at

    having sum(direction) != 0
{%- endmacro %}


{#-
    What the rows with these keys add up to, from and until when: a row adds its values on the day it became known and takes them back on
    the day it was replaced, so the work grows with the rows and not with their pairs. Values are exact numbers (decimals, integers).
-#}
{% macro knowledge_totals(rows, keys, values) -%}
    select
        {{ keys }},
        {% for value in values -%}
        sum({{ value }}) over so_far as {{ value }},
        {% endfor -%}
        known_at,
        lead(known_at) over (partition by {{ keys }} order by known_at) as superseded_at

    from (
        select
            {{ keys }},
            known_at,
            {% for value in values -%}
            sum(direction * {{ value }}) as {{ value }}{{ ',' if not loop.last }}
            {% endfor %}
        from (
            select *, 1 as direction from {{ rows }}
            union all
            select * replace (superseded_at as known_at), -1 as direction from {{ rows }} where superseded_at is not null
        ) as changes

        group by {{ keys }}, known_at
    ) as changes_by_day

    window so_far as (partition by {{ keys }} order by known_at)
{%- endmacro %}


{#-
    Rows without those that say again what was said with these keys, or that were outdated when they became known: what was said last is the
    same at any time, and the work grows with the rows and not with their pairs. Where one of them was taken back, all count.

    rows: says, said_at, known_at and superseded_at; of one moment the word that sorts last holds.
-#}
{% macro telling_rows(rows, keys) -%}
    select * exclude (newest_said_at, newest_says, is_any_replaced)

    from (
        select
            *,
            max(said_at) over earlier as newest_said_at,
            max_by(says, (said_at, says)) over earlier as newest_says,
            bool_or(superseded_at is not null) over (partition by {{ keys }}) as is_any_replaced

        from {{ rows }}

        window earlier as (
            partition by {{ keys }} order by known_at, said_at, says rows between unbounded preceding and 1 preceding
        )
    ) as compared

    where
        is_any_replaced
        or newest_says is null
        or (says != newest_says and (said_at, says) > (newest_said_at, newest_says))
{%- endmacro %}
