{#- One field as it stands in CSV: quoted, with doubled quotes inside, or bare. -#}
{% macro csv_field() %}{{ return('(?:"(?:[^"]|"")*"|[^",][^,]*|)') }}{% endmacro %}


{#- The fields of a record that is well formed, without their quotes. -#}
{% macro csv_fields(record) -%}
    list_transform(
        regexp_extract_all(',' || {{ record }}, ',("(?:[^"]|"")*"|[^",][^,]*|)', 1),
        lambda field: case when starts_with(field, '"') then replace(field[2:-2], '""', '"') else field end
    )
{%- endmacro %}


{#-
    The lines of a CSV file that are UTF-8, as `line`, in their order. A line end of two characters gives an empty line more.
    With store_rejects the engine lists the others in reject_errors.
-#}
{% macro csv_lines(file, options='ignore_errors = true') -%}
    read_csv(
        {{ file_name(file) }}, columns = {'line': 'varchar'}, auto_detect = false, header = false, delim = e'\x01\x02\x03',
        quote = '', escape = '', new_line = '\n', strict_mode = false, {{ csv_limits() }}, {{ options }}
    )
{%- endmacro %}


{#-
    The rows of a CSV file of which some are malformed: its columns, null in a malformed row; _malformed says what is wrong
    with it (null: nothing) and _line is the row as it came. Nothing is lost: a quote that is not closed costs its own line,
    not those after it.
-#}
{% macro csv_by_line(file) -%}
    {%- set layout = run_query('select names, header_line, is_crlf from ' ~ csv_layouts() ~ ' where (file, state) = (' ~ quoted(file.path) ~ ', ' ~ quoted(file.mark) ~ ')').rows[0] -%}
    {%- set names = layout.names.split('\x1f') -%}
    {%- set record = csv_field() ~ '(?:,' ~ csv_field() ~ '){' ~ (names | length - 1) ~ '}' -%}
    (
        with lines as (

            select
                row_number() over () as line_number,
                coalesce(line, '') as line

            from {{ csv_lines(file.path) }}

        ),

        -- Lines that are not UTF-8, each after so many that are.
        undecoded as (

            select distinct
                line_number as undecoded_number,
                line_number - row_number() over (order by line_number) as line_number,
                line

            from {{ undecoded_lines() }}

            where file = {{ quoted(file.path) }}

        ),

        -- A quoted field with line ends in it begins and ends in a line that is no record by itself and has an odd number of quotes.
        judged as (

            select
                *,
                not regexp_full_match(line, '{{ record }}')
                and (length(line) - length(replace(line, '"', ''))) % 2 = 1 as is_edge

            from lines

            where line_number > {{ layout.header_line }}

        ),

        -- An edge and the lines up to the next one; 0: before the first.
        stretched as (

            select
                *,
                -- In the order of the file, in which the lines come: to sort them again would cost much.
                sum(case when is_edge then 1 else 0 end) over (rows between unbounded preceding and current row) as stretch

            from judged

        ),

        measured as (

            select
                *,
                sum(length(line) + 1) over (partition by stretch order by line_number) as size_so_far

            from stretched

            where stretch > 0

        ),

        bodies as (

            select
                stretch,
                arg_min(line, line_number) as edge_line,
                string_agg(line, chr(10) order by line_number) filter (where size_so_far < 16777216) as body,
                max(size_so_far) < 16777216 as is_whole,
                min(line_number) as first_line_number,
                max(line_number) as last_line_number

            from measured

            group by stretch

        ),

        joined as (

            select
                stretch,
                body || chr(10) || lead(edge_line) over (order by stretch) as record,
                coalesce(is_whole and regexp_full_match(record, '{{ record }}'), false)
                and not exists (
                    select 1
                    from undecoded
                    where undecoded.line_number between bodies.first_line_number and bodies.last_line_number
                ) as fits

            from bodies

        ),

        -- The line after an edge that does not fit begins anew; after one that fits, the next edge ends the record.
        runs as (

            select
                *,
                count(*) filter (where not fits) over (order by stretch rows between unbounded preceding and 1 preceding) as run

            from joined

        ),

        opened as (

            select
                stretch,
                fits and row_number() over (partition by run order by stretch) % 2 = 1 as is_opened,
                case when is_opened then {{ 'replace(record, chr(10) || chr(10), chr(10))' if layout.is_crlf else 'record' }} end as record

            from runs

        ),

        records as (

            select
                stretched.line_number,
                0 as undecoded_number,
                coalesce(opened.record, stretched.line) as record

            from stretched
            left join opened on stretched.stretch = opened.stretch
            left join opened as before on stretched.stretch = before.stretch + 1 and stretched.is_edge

            where
                stretched.line != ''
                and (stretched.is_edge or not coalesce(opened.is_opened, false))
                and not coalesce(before.is_opened, false)

            union all

            select
                line_number,
                undecoded_number,
                line as record

            from undecoded

        ),

        parsed as (

            select
                *,
                case
                    when undecoded_number > 0 then 'bytes that are not UTF-8'
                    when not regexp_full_match(record, '{{ csv_field() }}(?:,{{ csv_field() }})*')
                        then 'a quote that is not closed, or text beside quotes'
                    when not regexp_full_match(record, '{{ record }}')
                        then len({{ csv_fields('record') }}) || ' fields instead of {{ names | length }}'
                end as _malformed,
                case when _malformed is null then {{ csv_fields('record') }} end as fields

            from records

        )

        select
            {%- for name in names %}
            fields[{{ loop.index }}] as "{{ (name or 'column' ~ loop.index) | replace('"', '""') }}",
            {%- endfor %}
            _malformed,
            case when _malformed is not null then record end as _line,
            {{ quoted(file.path) }} as _file,
            row_number() over (order by line_number, undecoded_number) as _position

        from parsed
    )
{%- endmacro %}
