{#-
    How the CSV files of a raw table must be read: {'csv': sound files, 'csv_by_line': the others}. Found out once per run.

    A sound file is read by the engine, in parallel. A file with a malformed row is read line by line, so that this row goes
    to the quarantine and every other one loads: the engine's own skipping of bad rows can lose sound ones without a word.
-#}
{% macro csv_files(files) %}
    {% set layouts = {'csv': [], 'csv_by_line': []} %}
    {% if files %}
        {% do run_query(
            'create table if not exists ' ~ csv_layouts() ~ ' (
                file varchar, state varchar, names varchar, header_line bigint, is_crlf boolean, is_by_line boolean
            )'
        ) %}
        {% for file in files %}
            {% set known = 'select is_by_line from ' ~ csv_layouts() ~ ' where file = ' ~ quoted(file.path) ~ ' and state = ' ~ quoted(file.mark) %}
            {% if not run_query(known).rows %}{% do examine_csv(file.path, file.mark) %}{% endif %}
            {% do layouts['csv_by_line' if run_query(known).columns[0][0] else 'csv'].append(file) %}
        {% endfor %}
    {% endif %}
    {{ return(layouts) }}
{% endmacro %}


{#- In the memory of this run; nothing of it is kept. -#}
{% macro csv_layouts() %}{{ return('memory.main.csv_layouts') }}{% endmacro %}


{% macro quoted(text) %}{{ return("'" ~ text | replace("'", "''") ~ "'") }}{% endmacro %}


{#- Remembers how one CSV file must be read; stops the run when it is none, or not in UTF-8. -#}
{% macro examine_csv(file, state) %}
    {% set layout = run_query(
        "select
            array_to_string(list_transform(" ~ csv_fields(utf8('header')) ~ ", lambda name: trim(name)), chr(31)) as names,
            left(header, 2) in (chr(255) || chr(254), chr(254) || chr(255)) as is_utf16,
            coalesce(regexp_matches(header, '[\\x00-\\x08\\x0E-\\x1F]'), false) as is_binary,
            *
        from (
            select
                arg_min(bytes, line_number) filter (bytes != '') as header,
                min(line_number) filter (bytes != '') as header_line,
                coalesce(max(bytes) filter (line_number = 2), '') = '' and count(*) > 1 as is_crlf,
                -- A line end of two characters reads as a line and an empty one; the last line may have none.
                count(*) filter (bytes = '') = 0 or abs(count(*) - 2 * count(*) filter (bytes = '')) <= 1 as has_one_line_end
            from " ~ csv_lines(file) ~ "
        )"
    ).rows[0] %}
    {% do check_layout(file, layout) %}
    {% set names = (layout.names or '').split('\x1f') %}
    {% set is_by_line = not layout.has_one_line_end or layout.header_line != 1 or rejected_by_engine(file, names) %}
    {% if is_by_line %}{% do check_encoding(file) %}{% endif %}
    {% do run_query(
        'insert into ' ~ csv_layouts() ~ ' values (' ~ [
            quoted(file), quoted(state), quoted(names | join('\x1f')), layout.header_line, layout.is_crlf, is_by_line
        ] | join(', ') ~ ')'
    ) %}
{% endmacro %}


{% macro check_layout(file, layout) %}
    {% if layout.is_utf16 %}
        {% do raise_user_error('unreadable_file', file ~ ' is UTF-16, and CSV must be UTF-8: convert it, for example with `iconv -f UTF-16 -t UTF-8`') %}
    {% elif layout.is_binary or layout.header_line is none or layout.names is none %}
        {% do raise_user_error('unreadable_file', file ~ ' does not begin with the column names of a CSV file in UTF-8: land it again, or remove it') %}
    {% endif %}
    {% set names = layout.names.lower().split('\x1f') %}
    {% for name in names if name and names.count(name) > 1 %}
        {% do raise_user_error('unreadable_file', file ~ ' has two columns ' ~ name ~ ': leave one of them, or give it another name') %}
    {% endfor %}
{% endmacro %}


{#- Whether a strict reading of the file fails at any row. -#}
{% macro rejected_by_engine(file, names) %}
    {% do run_query('drop table if exists reject_errors') %}
    {% do run_query('drop table if exists reject_scans') %}
    {% do run_query('select count(columns(*)) from ' ~ read_csv([file], names, 'store_rejects = true, rejects_limit = 1')) %}
    {{ return(run_query('select count(*) from reject_errors').columns[0][0] > 0) }}
{% endmacro %}


{#- A few rows in another encoding are rejected; a file full of them was written in that encoding. -#}
{% macro check_encoding(file) %}
    {% set counts = run_query(
        'select count(*) filter (' ~ utf8('bytes') ~ ' is null), count(*) from ' ~ csv_lines(file) ~ " where bytes != ''"
    ).rows[0] %}
    {% if counts[0] > var('max_quarantine_share') * counts[1] %}
        {% do raise_user_error('unreadable_file', file ~ ' is not UTF-8 (' ~ counts[0] ~ ' of ' ~ counts[1] ~ ' lines are not): convert it, for example with `iconv -f LATIN1 -t UTF-8`') %}
    {% endif %}
{% endmacro %}


{#- CSV files of the same columns, read strictly. The dialect is given, not guessed: a guess may take a broken row for the header. -#}
{% macro read_csv(files, names, options='') -%}
    {%- set file_list = [] -%}
    {%- for file in files -%}{%- do file_list.append(quoted(file)) -%}{%- endfor -%}
    {%- set columns = [] -%}
    {%- for name in names -%}{%- do columns.append(quoted(name or 'column' ~ loop.index) ~ ": 'varchar'") -%}{%- endfor -%}
    read_csv(
        [{{ file_list | join(', ') }}], columns = {{ '{' ~ columns | join(', ') ~ '}' }}, filename = '_file', auto_detect = false,
        header = true, delim = ',', quote = '"', escape = '"', {{ csv_limits() }}{{ ', ' ~ options if options }}
    )
{%- endmacro %}


{#- A row may be as long as 16 MiB; memory is one buffer for each thread. -#}
{% macro csv_limits() %}{{ return('max_line_size = 16777216, buffer_size = 33554432') }}{% endmacro %}


{#- CSV files that the engine reads, united by column name. -#}
{% macro read_csv_files(files) -%}
    {%- set file_list = [] -%}
    {%- for file in files -%}{%- do file_list.append(quoted(file.path)) -%}{%- endfor -%}
    {%- set layouts = run_query('select names, string_agg(file, chr(31) order by file) as files from ' ~ csv_layouts() ~ ' where file in (' ~ file_list | join(', ') ~ ') group by names order by names') -%}
    {%- for names, files_alike in layouts.rows %}
    select * from {{ read_csv(files_alike.split('\x1f'), names.split('\x1f')) }}
    {{ 'union all by name' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
