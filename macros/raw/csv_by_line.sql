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
    The lines of a CSV file: line_number and bytes, one character for each byte (which is what Latin-1 is), so that no
    line is lost for bytes that are not UTF-8. A line end of two characters gives an empty line more.
-#}
{% macro csv_lines(file) -%}
    (
        select
            row_number() over () as line_number,
            case when row_number() over () = 1 then ltrim(line, 'ï»¿') else coalesce(line, '') end as bytes

        from read_csv(
            {{ quoted(file) }}, columns = {'line': 'varchar'}, auto_detect = false, header = false, encoding = 'latin-1',
            delim = e'\x01\x02\x03', quote = '', escape = '', new_line = '\n', strict_mode = false, {{ csv_limits() }}
        )
    )
{%- endmacro %}


{#- Bytes as the text that they are in UTF-8; null: they are none. -#}
{% macro utf8(bytes) -%}
    case
        when regexp_matches({{ bytes }}, '[^\x00-\x7F]')
            then try(decode(unhex(array_to_string(list_transform(string_split({{ bytes }}, ''), lambda byte: printf('%02x', unicode(byte))), ''))))
        else {{ bytes }}
    end
{%- endmacro %}


{#-
    The rows of a CSV file of which some are malformed: its columns, null in a malformed row; _malformed says what is wrong
    with it (null: nothing) and _line is the row as it came. Nothing is lost: a quote that is not closed costs its own line,
    not those after it.
-#}
{% macro csv_by_line(file) -%}
    {%- set layout = run_query('select names, header_line, is_crlf from ' ~ csv_layouts() ~ ' where file = ' ~ quoted(file) ~ ' order by state desc').rows[0] -%}
    {%- set names = layout.names.split('\x1f') -%}
    {%- set record = csv_field() ~ '(?:,' ~ csv_field() ~ '){' ~ (names | length - 1) ~ '}' -%}
    (
        with lines as (

            select
                line_number,
                bytes,
                {{ utf8('bytes') }} as line

            from {{ csv_lines(file) }}

            where line_number > {{ layout.header_line }}

        ),

        -- A quoted field with line ends in it begins and ends in a line that is no record by itself and has an odd number of quotes.
        judged as (

            select
                *,
                coalesce(
                    not regexp_full_match(line, '{{ record }}')
                    and (length(line) - length(replace(line, '"', ''))) % 2 = 1,
                    false
                ) as is_edge

            from lines

        ),

        -- An edge and the lines up to the next one; 0: before the first.
        stretched as (

            select
                *,
                count(*) filter (where is_edge) over (order by line_number) as stretch

            from judged

        ),

        measured as (

            select
                *,
                sum(length(bytes) + 1) over (partition by stretch order by line_number) as size_so_far

            from stretched

            where stretch > 0

        ),

        bodies as (

            select
                stretch,
                arg_min(line, line_number) as edge_line,
                string_agg(line, chr(10) order by line_number) filter (where size_so_far < 16777216) as body,
                -- No field is longer than that, and none holds bytes that are not UTF-8.
                max(size_so_far) < 16777216 and count(*) = count(line) as is_whole

            from measured

            group by stretch

        ),

        joined as (

            select
                stretch,
                body || chr(10) || lead(edge_line) over (order by stretch) as record,
                coalesce(is_whole and regexp_full_match(body || chr(10) || lead(edge_line) over (order by stretch), '{{ record }}'), false) as fits

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
                stretched.bytes,
                coalesce(opened.record, stretched.line) as record

            from stretched
            left join opened on stretched.stretch = opened.stretch
            left join opened as before on stretched.stretch = before.stretch + 1 and stretched.is_edge

            where
                stretched.bytes != ''
                and (stretched.is_edge or not coalesce(opened.is_opened, false))
                and not coalesce(before.is_opened, false)

        ),

        parsed as (

            select
                *,
                case
                    when record is null then 'bytes that are not UTF-8'
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
            case when _malformed is not null then coalesce(record, bytes) end as _line,
            {{ quoted(file) }} as _file,
            row_number() over (order by line_number) as _position

        from parsed
    )
{%- endmacro %}
