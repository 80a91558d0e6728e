{#- No raw file of this table changed while the build read it; else the build stops with the name of the file. -#}
{% test files_unchanged(model) %}
    {%- if execute and target.name != 'lint' -%}
        {%- for row in run_query(files_read_otherwise('select distinct _file, _file_mark from ' ~ model)) -%}
            {%- do raise_user_error('unreadable_file', raw_folder() ~ '/' ~ row[0] ~ ' changed while it was read, so nothing was built from it: write a file under another name, rename it when it is whole, and build again') -%}
        {%- endfor -%}
    {%- endif -%}
select 1 as changed_file

where false
{% endtest %}
