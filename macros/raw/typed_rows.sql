{#-
    One raw column as its contract type. A value that is not of the type becomes null; text is trimmed, empty text is null. Of a word that
    counts in any case (channels: systems write Email, and EMAIL) there is one spelling from here on.
-#}
{% macro typed_column(name, data_type, found_type, any_case=false) %}
    {%- set value = 'nullif(trim("' ~ name ~ '"), \'\')' if found_type == 'VARCHAR' else '"' ~ name ~ '"' -%}
    {%- if data_type == 'timestamp' -%}
        {#- A value without zone is UTC (the session's zone); one with a zone is converted. -#}
        {%- set value = without_blank_before_zone(value) if found_type == 'VARCHAR' else value -%}
        timezone('UTC', {{ if_finite('try_cast(' ~ value ~ ' as timestamp with time zone)') }})
    {%- elif data_type == 'double' -%}
        {{ if_finite('try_cast(' ~ value ~ ' as double)') }}
    {%- elif data_type == 'date' -%}
        {{ if_finite('try_cast(' ~ value ~ ' as date)') }}
    {%- elif data_type == 'bigint' -%}
        {#- A cast would round 1.5 to 2. -#}
        case when try_cast({{ value }} as double) % 1 = 0 then try_cast({{ value }} as bigint) end
    {%- elif any_case -%}
        lower(cast({{ value }} as varchar))
    {%- elif data_type == 'varchar' -%}
        nullif({{ raw_text(name, found_type) }}, '')
    {%- else -%}
        try_cast({{ value }} as {{ data_type }})
    {%- endif -%}
{% endmacro %}


{#- A raw value as text. A program that has no missing whole numbers writes the key 17850 as the fraction 17850.0 beside guests. -#}
{% macro raw_text(name, found_type) -%}
    {%- set text = 'trim(cast("' ~ name ~ '" as varchar))' -%}
    {{ "regexp_replace(" ~ text ~ ", '[.]0+$', '')" if found_type.startswith(('DOUBLE', 'FLOAT', 'DECIMAL')) else text }}
{%- endmacro %}


{#- Many systems write 2024-01-31 23:30:00 +0100, and the engine reads no blank there. -#}
{% macro without_blank_before_zone(value) -%}
    regexp_replace({{ value }}, '\s+([+-][0-9:]+)$', '\1')
{%- endmacro %}


{#- Nan and infinity are numbers and dates to an engine, and to nobody else. -#}
{% macro if_finite(value) -%}
    case when isfinite({{ value }}) then {{ value }} end
{%- endmacro %}


{% macro is_no_json(text, kind) -%}
    coalesce(case when json_valid({{ text }}) then json_type({{ text }}) end != '{{ kind }}', true)
{%- endmacro %}


{#- An end of a range as declared: a number, a date in quotes, or `today`. -#}
{% macro bound(value) -%}
    {{ 'cast(' ~ clock() ~ ' as date)' if value == 'today' else "date '" ~ value ~ "'" if value is string else value }}
{%- endmacro %}


{#- A value inside a reason: its beginning, without the `; ` that parts reasons. -#}
{% macro shown(value) -%}
    left(regexp_replace({{ value }}, ';\s+', ';', 'g'), 80)
{%- endmacro %}


{#- Why a raw row cannot be accepted on its own: text, or empty. -#}
{% macro reject_reasons(columns, found) %}
    concat_ws('; '
    {%- for column in columns.values() -%}
        {%- set meta = column.config.meta -%}
        {%- set name = column.name -%}
        {%- if name in found -%}
            {%- set raw = 'nullif(trim(cast("' ~ name ~ '" as varchar)), \'\')' -%}
            {%- set typed = typed_column(name, column.data_type, found[name], meta.any_case) -%}
            {#- A double may be no number, and a time no moment (if_finite), even in a file that has the type. -#}
            {%- if column.data_type in ('double', 'timestamp', 'date') or (found[name] != column.data_type | upper and column.data_type != 'varchar') %},
        case when {{ raw if found[name] == 'VARCHAR' else '"' ~ name ~ '"' }} is not null and {{ typed }} is null then '{{ name }} is not a {{ meta.type }}: ' || {{ shown(raw) }} end
            {%- endif -%}
            {%- if meta.required %},
        case when {{ raw }} is null then '{{ name }} is missing' end
            {%- endif -%}
            {%- if meta.accepted %},
        case when {{ typed }} not in ('{{ meta.accepted | join("', '") }}') then '{{ name }} is none of {{ meta.accepted | join(", ") }}: ' || {{ shown(raw) }} end
            {%- endif -%}
            {%- if meta.range %},
        case when {{ typed }} < {{ bound(meta.range[0]) }}{% if meta.range[1] is not none %} or {{ typed }} > {{ bound(meta.range[1]) }}{% endif %} then '{{ name }} is outside its range: ' || {{ raw }} end
            {%- endif -%}
            {%- if meta.type == 'json' %},
        case when {{ raw }} is not null and {{ is_no_json(raw, 'OBJECT') }} then '{{ name }} is not a json object: ' || {{ shown(raw) }} end
            {%- endif -%}
            {%- if meta.type == 'json array' %},
        case when {{ raw }} is not null and {{ is_no_json(raw, 'ARRAY') }} then '{{ name }} is not a json array: ' || {{ shown(raw) }} end
            {%- endif -%}
        {%- elif meta.required %},
        '{{ name }} is missing'
        {%- endif -%}
    {%- endfor -%}
    )
{% endmacro %}


{#- A raw row as JSON: what its own file says of it, and of a malformed CSV row its line. -#}
{% macro row_as_it_came(format) -%}
    {%- set own = "json_merge_patch(to_json(raw_row), '" ~ tojson({
        '_file': none, '_position': none, 'file_row_number': none, '_malformed': none, '_line': none, '_is_erased': none,
    }) ~ "')" -%}
    {%- if format != 'csv_by_line' -%}{{ own }}
    {#- A malformed row may be that of an erased customer, and nobody can say: none of it is kept. -#}
    {%- else -%}case when _malformed is null then {{ own }} {{ "else json_object('_line', _line)" if not has_erased_customers() }} end
    {%- endif -%}
{%- endmacro %}


{#-
    The rows of groups of files of one raw table, typed by the contract: its columns, _typing_reasons (empty: none), _file and _row.
    Works without any file: then it is a typed, empty relation.
-#}
{% macro typed_rows(family, table, files) %}
    {%- set raw_table = raw_source(family, table) -%}
    {%- set branches = [] -%}
    {%- set row_number_within_file = {
        'parquet': 'file_row_number',
        'csv': '_position - min(_position) over (partition by _file) + 1',
        'csv_by_line': '_position',
    } -%}
    {%- if raw_table -%}
        {%- set columns = raw_table.columns -%}
        {%- for group in files -%}
            {%- set found = found_columns(group) -%}
            {%- set branch %}
    select
        {%- for column in columns.values() %}
        {{ typed_column(column.name, column.data_type, found[column.name], column.config.meta.any_case) if column.name in found else 'cast(null as ' ~ column.data_type ~ ')' }} as {{ column.name }},
        {%- endfor %}
        {%- set reasons = reject_reasons(columns, found) -%}
        {%- if group.format == 'csv_by_line' %}
        {#- What is wrong with its columns cannot be said of a row that is not cut into columns. -#}
        {%- set reasons = "coalesce('malformed CSV row: ' || _malformed, " ~ reasons ~ ")" -%}
        {%- endif %}
        {{ reasons_or_erased(table, found, reasons) }} as _typing_reasons,
        -- The row as it came, kept for those that are rejected.
        case when _typing_reasons not in ('', 'customer was erased') then cast({{ row_as_it_came(group.format) }} as varchar) end as _raw_row,
        replace(_file, '{{ raw_folder() }}/', '') as _file,
        marks._mark as _file_mark,
        {{ row_number_within_file[group.format] }} as _row

    from {{ without_erased(table, found, read_files(group)) }} as raw_row
    inner join (
        values {% for file in group.files %}({{ quoted(file.path) }}, '{{ file.mark }}'){{ ', ' if not loop.last }}{% endfor %}
    ) as marks (_path, _mark) on raw_row._file = marks._path
            {%- endset -%}
            {%- do branches.append(branch) -%}
        {%- endfor -%}
        {%- if not branches -%}
            {%- set branch %}
    select
        {%- for column in columns.values() %}
        cast(null as {{ column.data_type }}) as {{ column.name }},
        {%- endfor %}
        cast(null as varchar) as _typing_reasons,
        cast(null as varchar) as _raw_row,
        cast(null as varchar) as _file,
        cast(null as varchar) as _file_mark,
        cast(null as bigint) as _row

    where false
            {%- endset -%}
            {%- do branches.append(branch) -%}
        {%- endif -%}
    {%- endif -%}
    {{ branches | join('\n\n    union all\n') }}
{% endmacro %}
