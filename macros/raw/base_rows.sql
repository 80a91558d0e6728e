{#-
    Every row of one raw table with what became of it: the body of a base model.

    row_status   accepted, superseded (a newer version is known), duplicate or rejected (reject_reasons says why)
    event_at     when it happened; null where the contract knows no event time
    known_at     when it reached us; null: undated
    superseded_at  when the next version of the row reached us; null: this is the newest

    parent: a staged table that every row must refer to, joined on parent_key; it lends its event time to tables without one.
    reason: SQL that says why a row (typed.…, of parents.event_at) is rejected beyond its types and references, or null.
    greatest: the column of which the greatest value holds among rows of one key that became known in one instant; else the last row does.

    Built incrementally it reads only new files, and judges again the rows that these may have changed: rows of the same key, rows
    whose parent is new or changed, and rows that were sound by themselves but rejected, for want of a parent or by the clock.
-#}
{% macro base_rows(family, table, parent=none, parent_key=none, reason=none, greatest=none) %}
    {%- set raw_table = raw_source(family, table) -%}
    {%- set meta = raw_table.config.meta if raw_table else {} -%}
    {%- set columns = raw_table.columns if raw_table else {} -%}
    {%- set key = ['source_system'] + meta.get('id', []) -%}
    {%- set built_at = last_built_at() -%}
    {%- set files = unread_files(family, table, base=this if built_at) -%}
    {%- set in_order = 'known_at nulls first, ' ~ (greatest ~ ', ' if greatest else '') ~ '_file, _row' -%}
    {#- When a row became known is not part of its content. -#}
    {%- set content = columns.keys() | reject('equalto', 'known_at') | list -%}
    {%- set own_event_at = 'typed.' ~ meta.event_at if meta.event_at else 'cast(null as timestamp)' -%}
with read_rows as (
    {{ typed_rows(family, table, files) }}

),

{% if built_at -%}
built_rows as (

    select * from {{ this }}

    where _file not in (select _file from read_rows)

),

touched_keys as (

    select
        {%- for column in key %}
        {{ with_default(columns[column]) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}

    from read_rows

    union

    select * from {{ keys_to_judge_again(key, parent, parent_key, built_at) }}

),

typed as (

    select * from read_rows

    union all

    select
        {%- for column in columns.values() %}
        built_rows.{{ '_known_at' if column.name == 'known_at' else column.name }},
        {%- endfor %}
        built_rows._typing_reasons,
        built_rows._raw_row,
        built_rows._file,
        built_rows._file_mark,
        built_rows._row

    from built_rows
    inner join touched_keys
        on
            {%- for column in key %}
            {{ 'and ' if not loop.first }}built_rows.{{ column }} is not distinct from touched_keys.{{ column }}
            {%- endfor %}

),
{%- else -%}
typed as (

    select * from read_rows

),
{%- endif %}

{% if parent -%}
parents as (

    select
        source_system,
        {{ parent_key }},
        -- The first version tells when the row itself came: a later correction of its parent does not move it.
        min_by(event_at, known_at) as event_at

    from {{ parent }}
    {%- if built_at %}

    where {{ parent_key }} in (select {{ parent_key }} from typed)
    {%- endif %}

    group by source_system, {{ parent_key }}

),

{% endif -%}
dated as (

    select
        {%- for column in columns.values() if column.name != 'known_at' %}
        {{ with_default(column, 'typed.') }} as {{ column.name }},
        {%- endfor %}

        concat_ws(
            '; ',
            nullif(typed._typing_reasons, ''),
            {%- if reason %}
            {{ reason }},
            {%- endif %}
            {%- if parent %}
            case when parents.source_system is null then '{{ parent_key }} refers to nothing: ' || {{ shown('typed.' ~ parent_key) }} end,
            {%- endif %}
            -- 0001-01-01 and 1899-12-30 are how systems write that they do not know.
            case when typed.known_at < timestamp '1900-01-01' then 'known_at is before 1900: ' || typed.known_at end,
            {%- if meta.event_at %}
            case when {{ own_event_at }} < timestamp '1900-01-01' then '{{ meta.event_at }} is before 1900: ' || {{ own_event_at }} end,
            {%- endif %}
            {%- if meta.event_at and table in ('messages', 'campaigns') %}
            -- What is planned may lie ahead, but not for ever.
            case when {{ own_event_at }} >= timestamp '2200-01-01' then '{{ meta.event_at }} is after 2199: ' || {{ own_event_at }} end,
            {%- endif %}
            case when typed.known_at > {{ clock() }} then 'known_at is later than the clock: ' || typed.known_at end,
            {%- if meta.event_at and table != 'messages' %}
            case when {{ own_event_at }} > typed.known_at then '{{ meta.event_at }} is later than known_at: ' || {{ own_event_at }} end,
            {%- endif %}
            {%- if meta.event_at and table not in ('messages', 'campaigns') %}
            case when {{ own_event_at }} > {{ clock() }} then '{{ meta.event_at }} is later than the clock: ' || {{ own_event_at }} end,
            {%- endif %}
            null
        ) as reject_reasons,
        typed._typing_reasons,
        typed._raw_row,
        typed._file,
        typed._file_mark,
        typed._row,

        typed.known_at as _known_at,
        {{ 'parents.event_at' if meta.dated == 'parent' else own_event_at }} as event_at,
        coalesce(
            typed.known_at,
            {{ 'parents.event_at' if meta.dated == 'parent' else own_event_at }}
            {%- if meta.dated == 'always' %},
            timestamp '1900-01-01'
            {%- endif %}
        ) as known_at

    from typed
    {%- if parent %}
    left join parents
        on
            typed.source_system = parents.source_system
            and typed.{{ parent_key }} = parents.{{ parent_key }}
    {%- endif %}

),

-- Rows of one key in the order in which they reached us; at last file and row break ties.
ordered as (

    select
        *,
        coalesce(
            lag({{ row_hash(content) }}) over (
                partition by {{ key | join(', ') }}, reject_reasons = ''
                order by {{ in_order }}
            ) = {{ row_hash(content) }},
            false
        ) as is_duplicate

    from dated

),

versions as (

    select
        * exclude (is_duplicate),
        is_duplicate and reject_reasons = '' as is_duplicate,
        case
            when reject_reasons = '' and not is_duplicate
                then lead(coalesce(known_at, timestamp '1900-01-01')) over (
                    partition by {{ key | join(', ') }}, reject_reasons = '', is_duplicate
                    order by {{ in_order }}
                )
        end as superseded_at

    from ordered

)

select
    * exclude (is_duplicate) {{ hide_orphans(columns, parent_key) }},
    case
        when reject_reasons != '' then 'rejected'
        when is_duplicate then 'duplicate'
        when superseded_at is not null then 'superseded'
        else 'accepted'
    end as row_status,
    {{ this_build() }} as _built_at

from versions
{% endmacro %}


{#- A table of keys of rows that this build judges again though it reads no row of theirs. -#}
{% macro keys_to_judge_again(key, parent, parent_key, built_at) -%}
    {%- set query %}
        select {{ key | join(', ') }} from {{ this }} where row_status = 'rejected' and _typing_reasons = ''
        {%- if parent %}
        union
        select built_rows.{{ key | join(', built_rows.') }}
        from {{ this }} as built_rows
        inner join {{ parent }} as parents
            on
                built_rows.source_system = parents.source_system
                and built_rows.{{ parent_key }} = parents.{{ parent_key }}
        where parents._built_at > {{ built_at }}
        {%- endif %}
    {%- endset -%}
    {{ gathered_once('rejudged', query) }}
{%- endmacro %}


{% macro with_default(column, relation='') -%}
    {%- set default = column.config.meta.default if column else none -%}
    {%- if default == 'currency of the lake' -%}{%- set default = lake_currency() -%}{%- endif -%}
    {{ "coalesce(" ~ relation ~ column.name ~ ", '" ~ default ~ "')" if default else relation ~ column.name }}
{%- endmacro %}


{#- Now, in UTC; the variable clock stands still for tests. -#}
{% macro clock() -%}
    {{ "timestamp '" ~ var('clock') ~ "'" if var('clock', none) else "timezone('UTC', now())" }}
{%- endmacro %}


{#- The accepted rows of a base model, all versions: the body of a staging model. -#}
{% macro staged_rows(base) -%}
select * exclude (reject_reasons, row_status, _typing_reasons, _raw_row, _file, _file_mark, _row, _known_at)

from {{ base }}

where
    row_status in ('accepted', 'superseded')
    -- A version that was replaced in the instant it became known was never the truth.
    and coalesce(superseded_at > coalesce(known_at, timestamp '1900-01-01'), true)
{%- endmacro %}
