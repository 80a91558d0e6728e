{#- The declaration of one raw table (models/staging/<family>/_<family>__sources.yml), or none while dbt is still parsing. -#}
{% macro raw_source(family, table) %}
    {% do source(family, table) %}
    {{ return(graph.sources['source.' ~ project_name ~ '.' ~ family ~ '.' ~ table] if execute else none) }}
{% endmacro %}


{% macro raw_folder() -%}
    {{ return(env_var('MILLPOND_HOME', '.millpond') ~ '/raw') }}
{%- endmacro %}


{#-
    Files of one raw table: {'parquet': [...], 'csv': [...]}, each file {path, mark}; both lists empty when the table was not landed.
    The mark is size and time of change as they were before reading, so that a file which grows meanwhile is seen to have changed.
-#}
{% macro raw_files(family, table) %}
    {% set files = {'parquet': [], 'csv': []} %}
    {% if execute and target.name != 'lint' %}
        {% set folder = raw_folder() ~ '/' ~ family ~ '/' ~ table %}
        {% for format in files %}
            {#- An empty file is an empty table. -#}
            {% set found = run_query("select filename, " ~ file_mark() ~ " from read_blob('" ~ folder ~ "/*." ~ format ~ "') where size > 0 order by filename") if
                run_query("select 1 from glob('" ~ folder ~ "/*." ~ format ~ "') limit 1").rows else [] %}
            {% for row in found %}{% do files[format].append({'path': row[0], 'mark': row[1]}) %}{% endfor %}
        {% endfor %}
    {% endif %}
    {{ return(files) }}
{% endmacro %}


{#-
    Files of one raw table that a base table has not read yet (all of them when there is none), in groups that are read at once: {format,
    files, and of CSV names}, format being parquet, csv or csv_by_line. Files of a group have the same columns and types, so that no row
    depends on which other files are read with its own: 7 would become 7.0 beside one in which keys are fractions.
-#}
{% macro unread_files(family, table, base) %}
    {% set files = raw_files(family, table) %}
    {% if base %}
        {#- Of a row that hides what it refers to (hide_orphans) nobody can tell whether that has come: its file is read again. -#}
        {% set hides_orphans = "having not bool_or(reject_reasons like '% refers to nothing')" if has_erased_customers() else '' %}
        {% set read = run_query(
            "select '" ~ raw_folder() ~ "/' || _file from " ~ base ~ " group by _file " ~ hides_orphans
        ).columns[0].values() | list %}
        {% for format in files %}
            {% do files.update({format: files[format] | rejectattr('path', 'in', read) | list}) %}
        {% endfor %}
    {% endif %}
    {{ return(parquet_groups(files.parquet) + csv_groups(files.csv)) }}
{% endmacro %}


{#- Parquet files by their columns and types. -#}
{% macro parquet_groups(files) %}
    {% set groups = [] %}
    {% if files %}
        {% for row in run_query(
            "select string_agg(file_name, chr(31)) from (select file_name, string_agg(concat_ws(' ', name, duckdb_type, num_children), ', ' order by column_id)"
            ~ ' as layout from parquet_schema([' ~ file_names(files | map(attribute='path')) ~ ']) group by file_name) group by layout order by min(file_name)'
        ).rows %}
            {% do groups.append({'format': 'parquet', 'files': files | selectattr('path', 'in', row[0].split('\x1f')) | list}) %}
        {% endfor %}
    {% endif %}
    {{ return(groups) }}
{% endmacro %}


{#- Table function that reads all files of a group, with the file and row each row came from. What folders are called is no column: a home in
    country=DE has customers of other countries. -#}
{% macro read_files(group) %}
    {%- if group.format == 'parquet' -%}
        read_parquet([{{ file_names(group.files | map(attribute='path')) }}], filename = '_file', file_row_number = true, hive_partitioning = false)
    {%- elif group.format == 'csv' -%}
        (
            select
                *,
                row_number() over () as _position

            from {{ read_csv(group.files | map(attribute='path'), group.names) }}
        )
    {%- else -%}
        (
            {%- for file in group.files %}
            select * from {{ csv_by_line(file) }}
            {{ 'union all' if not loop.last }}
            {%- endfor %}
        )
    {%- endif -%}
{% endmacro %}


{#- Columns that the files of a group hold: {name: type}. Names are the same in upper and lower case, as in SQL. -#}
{% macro found_columns(group) %}
    {% set found = {} %}
    {% if group.format == 'parquet' %}
        {% for row in run_query('describe select * from ' ~ read_files(group)) %}
            {% do found.update({row[0].lower(): row[1]}) %}
        {% endfor %}
    {% else %}
        {% for name in group.names if name %}{% do found.update({name.lower(): 'VARCHAR'}) %}{% endfor %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}


{#- What tells one state of a file from another without reading it. -#}
{% macro file_mark() -%}
    size || '/' || epoch_us(last_modified)
{%- endmacro %}
