{#-
    How the CSV files of a raw table must be read: groups of files with the same columns. Found out once per run.

    A sound file is read by the engine, in parallel. A file with a malformed row is read line by line, so that this row goes
    to the quarantine and every other one loads: the engine's own skipping of bad rows can lose sound ones without a word.
-#}
{% macro csv_groups(files) %}
    {% set groups = [] %}
    {% if files %}
        {% do run_query(
            'create table if not exists ' ~ csv_layouts() ~ ' (
                file varchar, state varchar, names varchar, header_line bigint, is_crlf boolean, is_by_line boolean
            )'
        ) %}
        {% do run_query('create table if not exists ' ~ undecoded_lines() ~ ' (file varchar, line_number bigint, line varchar)') %}
        {% set states = [] %}
        {% for file in files %}
            {% do states.append('(' ~ quoted(file.path) ~ ', ' ~ quoted(file.mark) ~ ')') %}
            {% if not run_query('select 1 from ' ~ csv_layouts() ~ ' where (file, state) = ' ~ states[-1]).rows %}{% do examine_csv(file.path, file.mark) %}{% endif %}
        {% endfor %}
        {% for row in run_query(
            'select is_by_line, names, string_agg(file, chr(31)) from ' ~ csv_layouts() ~ ' where (file, state) in (' ~ states | join(', ')
            ~ ') group by is_by_line, names order by is_by_line, names'
        ).rows %}
            {% do groups.append({
                'format': 'csv_by_line' if row[0] else 'csv',
                'files': files | selectattr('path', 'in', row[2].split('\x1f')) | list,
                'names': row[1].split('\x1f'),
            }) %}
        {% endfor %}
    {% endif %}
    {{ return(groups) }}
{% endmacro %}


{#- In the memory of this run; nothing of it is kept. -#}
{% macro csv_layouts() %}{{ return('memory.main.csv_layouts') }}{% endmacro %}
{% macro undecoded_lines() %}{{ return('memory.main.undecoded_lines') }}{% endmacro %}


{% macro quoted(text) %}{{ return("'" ~ text | replace("'", "''") ~ "'") }}{% endmacro %}


{% macro quoted_list(texts) %}
    {% set list = [] %}
    {% for text in texts %}{% do list.append(quoted(text)) %}{% endfor %}
    {{ return(list | join(', ')) }}
{% endmacro %}


{#- The name of a file as the engine's readers take it: brackets, stars and question marks stand for themselves. -#}
{% macro file_name(path) %}
    {{ return(quoted(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]'))) }}
{% endmacro %}


{% macro file_names(paths) %}
    {% set names = [] %}
    {% for path in paths %}{% do names.append(file_name(path)) %}{% endfor %}
    {{ return(names | join(', ')) }}
{% endmacro %}


{#- Remembers how one CSV file must be read; stops the run when it is none, or not in UTF-8. -#}
{% macro examine_csv(file, state) %}
    {% do forget_rejects() %}
    {% set layout = run_query(
        "select
            array_to_string(list_transform(" ~ csv_fields('header') ~ ", lambda name: trim(name)), chr(31)) as names,
            coalesce(regexp_matches(header, '[\\x00-\\x08\\x0E-\\x1F]'), false) as is_binary,
            *
        from (
            select
                arg_min(line, line_number) filter (line is not null) as header,
                min(line_number) filter (line is not null) as header_line,
                max(line) filter (line_number = 2) is null and count(*) > 1 as is_crlf,
                -- A line end of two characters reads as a line and an empty one: every other line is empty, or some line ends otherwise.
                count(*) = count(line) or (count(*) % 2 = 0 and bool_and((line is null) = (line_number % 2 = 0))) as has_one_line_end,
                count(*) as line_count
            from (select row_number() over () as line_number, line from " ~ csv_lines(file, 'store_rejects = true, rejects_limit = 0') ~ ")
        )"
    ).rows[0] %}
    {% set rejects = run_query("select count(*), min(line), min(line) filter (error_type != 'INVALID ENCODING') from reject_errors").rows[0] %}
    {% do check_layout(file, layout, rejects) %}
    {% do run_query('insert into ' ~ undecoded_lines() ~ ' select ' ~ quoted(file) ~ ", line, ltrim(csv_line, chr(10)) from reject_errors") %}
    {% set names = layout.names.split('\x1f') %}
    {% set is_by_line = not layout.has_one_line_end or layout.header_line != 1 or rejects[0] or rejected_by_engine(file, names) %}
    {% do run_query(
        'insert into ' ~ csv_layouts() ~ ' values (' ~ [
            quoted(file), quoted(state), quoted(names | join('\x1f')), layout.header_line, layout.is_crlf, is_by_line
        ] | join(', ') ~ ')'
    ) %}
{% endmacro %}


{% macro check_layout(file, layout, rejects) %}
    {% if rejects[2] is not none %}
        {% do raise_user_error('unreadable_file', file ~ ' has a row of more than 16 MiB in line ' ~ rejects[2] ~ ': shorten it, or land the table as Parquet') %}
    {% elif layout.is_binary or not layout.names or rejects[1] == 1 %}
        {% do raise_user_error('unreadable_file', file ~ ' does not begin with column names in UTF-8: it is no CSV, or in another encoding; convert it, for example with `iconv -f UTF-16 -t UTF-8`') %}
    {#- A few rows in another encoding are rejected; a file full of them was written in it. -#}
    {% elif rejects[0] > var('max_quarantine_share') * (layout.line_count + rejects[0]) %}
        {% do raise_user_error('unreadable_file', file ~ ' is not UTF-8 (' ~ rejects[0] ~ ' of its lines are not): convert it, for example with `iconv -f LATIN1 -t UTF-8`') %}
    {% endif %}
    {% set names = layout.names.lower().split('\x1f') %}
    {% for name in names if name and names.count(name) > 1 %}
        {% do raise_user_error('unreadable_file', file ~ ' has two columns ' ~ name ~ ': leave one of them, or give it another name') %}
    {% endfor %}
{% endmacro %}


{#- Whether a strict reading of the file fails at any row. -#}
{% macro rejected_by_engine(file, names) %}
    {% do forget_rejects() %}
    {% do run_query('select count(columns(*)) from ' ~ read_csv([file], names, 'store_rejects = true, rejects_limit = 1')) %}
    {{ return(run_query('select count(*) from reject_errors').columns[0][0] > 0) }}
{% endmacro %}


{% macro forget_rejects() %}
    {% do run_query('drop table if exists reject_errors') %}
    {% do run_query('drop table if exists reject_scans') %}
{% endmacro %}


{#- CSV files of the same columns, read strictly. The dialect is given, not guessed: a guess may take a broken row for the header. -#}
{% macro read_csv(files, names, options='') -%}
    {%- set columns = [] -%}
    {%- for name in names -%}{%- do columns.append(quoted(name or 'column' ~ loop.index) ~ ": 'varchar'") -%}{%- endfor -%}
    read_csv(
        [{{ file_names(files) }}], columns = {{ '{' ~ columns | join(', ') ~ '}' }}, filename = '_file', hive_partitioning = false, auto_detect = false,
        header = true, delim = ',', quote = '"', escape = '"', {{ csv_limits() }}{{ ', ' ~ options if options }}
    )
{%- endmacro %}


{#- A row may be as long as 16 MiB; memory is one buffer for each thread. -#}
{% macro csv_limits() %}{{ return('max_line_size = 16777216, buffer_size = 33554432') }}{% endmacro %}
