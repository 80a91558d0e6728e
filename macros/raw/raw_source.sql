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
            {% set found = run_query("select file from glob('" ~ folder ~ "/*." ~ format ~ "') order by file") %}
            {% do files[format].extend(found.columns[0].values()) %}
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
        read_csv([{{ quoted | join(', ') }}], union_by_name = true, filename = '_file', header = true, all_varchar = true)
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
