{#-
    How models touch only what changed. Every table that is built incrementally says in _built_at when each of its rows was written
    last; what is newer upstream than the newest row here has changed since. Only a raw file that was changed or taken away makes
    rows vanish: then every such model begins anew (begin_build).
-#}


{#- The moment this build began: the same in all its models. -#}
{% macro this_build() -%}
    timestamp '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}'
{%- endmacro %}


{#- When this model was built last, as SQL; none when it is to be built anew. -#}
{% macro last_built_at() %}
    {% if not execute or model.resource_type == 'unit_test' or not is_incremental() %}{{ return(none) }}{% endif %}
    {% set built_at = run_query(
        'select max(_built_at) from ' ~ this ~ ' having not exists (select 1 from ' ~ new_beginnings() ~ ' where began_at > max(_built_at))'
    ).rows %}
    {{ return("timestamp '" ~ built_at[0][0] ~ "'" if built_at and built_at[0][0] else none) }}
{% endmacro %}


{% macro new_beginnings() -%}
    {{ return(target.database ~ '.staging.new_beginnings') }}
{%- endmacro %}


{#- Before a build: if a raw file that was read is no longer what it was, incremental models begin anew. -#}
{% macro begin_build() %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run') %}
        {% do run_query('create or replace table memory.main.last_snapshot as select cast(max(snapshot_time) as varchar) as taken_at from ducklake_snapshots(' ~ quoted(target.database) ~ ')') %}
        {% do run_query('create schema if not exists ' ~ target.database ~ '.staging') %}
        {% do run_query('create table if not exists ' ~ new_beginnings() ~ ' (began_at timestamp, reason varchar)') %}
        {% do run_query('create table if not exists ' ~ observations_built() ~ ' (table_name varchar, observation_date date, customers bigint, customers_hash ubigint)') %}
        {% set read = files_read() %}
        {% if read %}
            {% for row in run_query(files_read_otherwise(read)) %}
                {% do begin_anew(row[0] ~ ' was changed or taken away') %}
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}


{#- From here on incremental models begin anew in this build, and the user is told why. -#}
{% macro begin_anew(reason) %}
    {% do exceptions.warn(reason ~ ': building anew from all raw files') %}
    {% do run_query('insert into ' ~ new_beginnings() ~ ' values (' ~ this_build() ~ ', ' ~ quoted(reason) ~ ')') %}
{% endmacro %}


{#- What earlier builds read of a raw table; none before the first. -#}
{% macro base_table(family, table) %}
    {{ return(adapter.get_relation(target.database, 'staging', 'base_' ~ family ~ '__' ~ table)) }}
{% endmacro %}


{#- Every file that is in the lake (_file, _file_mark), as SQL; nothing before the first build. -#}
{% macro files_read() %}
    {% set read = [] %}
    {% for family, table in raw_tables() %}
        {% set base = base_table(family, table) %}
        {% if base %}{% do read.append('select distinct _file, _file_mark from ' ~ base) %}{% endif %}
    {% endfor %}
    {{ return(read | join(' union all ')) }}
{% endmacro %}


{#- Of files that were read (_file, _file_mark) the first that is not on the disk as it was then. -#}
{% macro files_read_otherwise(read) -%}
    select read._file

    from ({{ read }}) as read
    left join (
        select
            replace(filename, '{{ raw_folder() }}/', '') as _file,
            {{ file_mark() }} as _file_mark

        from read_blob('{{ raw_folder() }}/*/*/*')
    ) as files
        on read._file = files._file and read._file_mark = files._file_mark

    where files._file is null

    order by read._file

    limit 1
{%- endmacro %}


{#- Before an incremental model is built: it forgets the rows that it will write again. -#}
{% macro forget(touched) %}
    {% if is_incremental() %}delete from {{ this }} where {{ touched }}{% endif %}
{% endmacro %}


{#- Before an incremental model that replaces rows by key: only when it begins anew does it forget any. -#}
{% macro forget_all() %}
    {% if is_incremental() and not last_built_at() %}delete from {{ this }}{% endif %}
{% endmacro %}
