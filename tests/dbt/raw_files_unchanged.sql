{#- No raw file changed while the build read it; else the build stops with the name of the file. -#}
{%- for family, table in raw_tables() %}{% do ref('base_' ~ family ~ '__' ~ table) %}{% endfor -%}
{%- set read = files_read() if execute and target.name != 'lint' -%}
{%- for row in (run_query(files_read_otherwise(read)) if read else []) -%}
    {%- do raise_user_error('unreadable_file', raw_folder() ~ '/' ~ row[0] ~ ' changed while it was read, so nothing was built from it: write a file under another name, rename it when it is whole, and build again') -%}
{%- endfor -%}
select 1 as changed_file

where false
