{#- The declaration of one raw table (models/staging/<family>/_<family>__sources.yml), or none while dbt is still parsing. -#}
{% macro raw_source(family, table) %}
    {% do source(family, table) %}
    {{ return(graph.sources['source.' ~ project_name ~ '.' ~ family ~ '.' ~ table] if execute else none) }}
{% endmacro %}


{% macro raw_folder() -%}
    {{ return(env_var('MILLPOND_HOME', '.millpond') ~ '/raw') }}
{%- endmacro %}


{#- Files of one raw table: {'parquet': [...], 'csv': [...]}; both lists empty when the table was not landed. -#}
{% macro raw_files(family, table) %}
    {% set files = {'parquet': [], 'csv': []} %}
    {% if execute and target.name != 'lint' %}
        {% set folder = raw_folder() ~ '/' ~ family ~ '/' ~ table %}
        {% for format in files %}
            {#- An empty file is an empty table. -#}
            {% set found = run_query("select filename from read_blob('" ~ folder ~ "/*." ~ format ~ "') where size > 0 order by filename") if
                run_query("select 1 from glob('" ~ folder ~ "/*." ~ format ~ "') limit 1").rows else none %}
            {% do files[format].extend(found.columns[0].values() if found else []) %}
        {% endfor %}
    {% endif %}
    {{ return(files) }}
{% endmacro %}


{#- Table function that reads all files of one format, united by column name, with the file and row each row came from. -#}
{% macro read_files(format, files) %}
    {%- set quoted = [] -%}
    {%- for file in files -%}{%- do quoted.append("'" ~ file | replace("'", "''") ~ "'") -%}{%- endfor -%}
    {%- if format == 'parquet' -%}
        read_parquet([{{ quoted | join(', ') }}], union_by_name = true, filename = '_file', file_row_number = true)
    {%- else -%}
        {#- The dialect is given, not guessed: a guess may take a broken row for the header. -#}
        (
            select
                *,
                row_number() over () as _position

            from read_csv(
                [{{ quoted | join(', ') }}], union_by_name = true, filename = '_file', all_varchar = true,
                header = true, skip = 0, delim = ',', quote = '"', escape = '"'
            )
        )
    {%- endif -%}
{% endmacro %}


{#- Columns that the files of one format hold: {name: type}. -#}
{% macro found_columns(format, files) %}
    {% set found = {} %}
    {% if files %}
        {% for row in run_query('describe select * from ' ~ read_files(format, files)) %}
            {% do found.update({row[0]: row[1]}) %}
        {% endfor %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}
