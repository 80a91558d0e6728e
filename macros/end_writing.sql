{#-
    Publishes what was built, if nothing failed; else readers keep the lake as it was. The function comes from the plugin in
    profiles.yml, which let dbt work on a branch of the lake.
-#}
{% macro end_writing(results) %}
    {% if execute and target.name != 'lint' and flags.WHICH in ('build', 'run', 'seed', 'snapshot') %}
        {% set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error', 'partial success', 'skipped']) | list %}
        select end_writing({{ results | length > 0 and not failed }})
    {% endif %}
{% endmacro %}
