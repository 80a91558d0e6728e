{#-
    Stops a build before anything changes when raw data cannot be read: no data at all, a file that is no Parquet or CSV,
    a required column that no file has, an as-of date before all data. One line says which and what to do.
-#}
{% macro check_raw_contract() %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run') %}
        {% set first_events = [] %}
        {% set found_any = [] %}
        {% for raw_table in graph.sources.values() if raw_table.source_name in ('crm', 'invoices', 'communications') %}
            {% set event_at = raw_table.config.meta.event_at %}
            {% set base = none if flags.FULL_REFRESH else base_table(raw_table.source_name, raw_table.name) %}
            {% set files = unread_files(raw_table.source_name, raw_table.name, base=base) %}
            {% do check_columns(raw_table, files, is_first=not base) %}
            {% if base and var('as_of_date') %}{% do first_events.append('select min(event_at) as event_at from ' ~ base) %}{% endif %}
            {% for group in files %}
                {% do found_any.append(raw_table.name) %}
                {% if var('as_of_date') and event_at and event_at in found_columns(group) %}
                    {% do first_events.append("select min(try_cast(" ~ event_at ~ " as timestamp)) as event_at from " ~ read_files(group)) %}
                {% endif %}
            {% endfor %}
        {% endfor %}
        {% if var('as_of_date') and run_query("select date '" ~ var('as_of_date') ~ "' > cast(" ~ clock() ~ " as date) + 1").columns[0][0] %}
            {% do raise_user_error('as_of_in_future', 'as-of date ' ~ var('as_of_date') ~ ' lies in the future: choose tomorrow at the latest') %}
        {% endif %}
        {% if not found_any and not is_any_file_left() %}
            {% do raise_user_error('no_raw_data', 'no raw data in ' ~ raw_folder() ~ ': bring your own (docs/own_data.md), or run `millpond land complete_journey`') %}
        {% endif %}
        {% if first_events %}
            {% set first = run_query("select cast(min(event_at) as date) from (" ~ first_events | join(' union all ') ~ ")").columns[0][0] %}
            {% if first is not none and first | string >= var('as_of_date') | string %}
                {% do raise_user_error('as_of_before_data', 'as-of date ' ~ var('as_of_date') ~ ' has no event before it: choose a date after ' ~ first) %}
            {% endif %}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- Whether any of the files that are in the lake is still there: where none is, a folder is missing, and the lake should not be emptied for it. -#}
{% macro is_any_file_left() %}
    {% set read = files_read() %}
    {{ return(read and run_query(
        'select 1 from (' ~ read ~ ") as read inner join read_blob('" ~ raw_folder() ~ "/*/*/*') as files on files.filename = '" ~ raw_folder() ~ "/' || read._file limit 1"
    ).rows | length > 0) }}
{% endmacro %}


{% macro check_columns(raw_table, files, is_first) %}
    {% set found = {} %}
    {% for group in files %}{% do found.update(found_columns(group)) %}{% endfor %}
    {% if found %}
        {% for column in raw_table.columns.values() if is_first and column.config.meta.required and column.name not in found %}
            {% do raise_user_error('missing_column', 'no file of ' ~ raw_table.source_name ~ '/' ~ raw_table.name ~ ' has the required column ' ~ column.name ~ ' (' ~ column.config.meta.type ~ '): add it to the files in ' ~ raw_folder() ~ '/' ~ raw_table.source_name ~ '/' ~ raw_table.name) %}
        {% endfor %}
        {% set extra = found.keys() | reject('in', raw_table.columns.keys()) | reject('in', ['_file', '_position', '_malformed', '_line', 'file_row_number']) | list %}
        {% if extra %}
            {% do exceptions.warn(raw_table.source_name ~ '/' ~ raw_table.name ~ ': columns that the raw contract does not know stay out of the lake: ' ~ extra | join(', ')) %}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- A mistake that the user can mend. `millpond build` shows the line and exits with the code of that kind. -#}
{% macro raise_user_error(kind, message) %}
    {% do exceptions.raise_compiler_error('[' ~ kind ~ '] ' ~ message) %}
{% endmacro %}
