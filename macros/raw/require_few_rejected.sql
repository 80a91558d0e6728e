{#- Stops a build whose raw tables were rejected in a share that would mislead. Who was erased does not count. -#}
{% macro require_few_rejected() %}
    {% set counts = [] %}
    {% for family, table in raw_tables() %}
        {% set base = base_table(family, table) %}
        {% if base %}
            {% do counts.append(
                "select '" ~ base.identifier ~ "' as base_model, count(*) as row_count,"
                ~ " count(*) filter (where row_status = 'rejected' and reject_reasons != 'customer was erased') as rejected from " ~ base
            ) %}
        {% endif %}
    {% endfor %}
    {% for base_model, row_count, rejected in (run_query(counts | join(' union all ')) if counts else []) %}
        {% if rejected > var('max_quarantine_share') * row_count %}
            {% do raise_user_error('too_many_rejected', rejected ~ ' of ' ~ row_count ~ ' rows of ' ~ base_model ~ ' were rejected, more than max_quarantine_share allows, so the lake stays as it was: see'
                ~ " `millpond sql --failed 'select distinct reject_reasons from staging." ~ base_model ~ "'`, mend the files and land them again") %}
        {% endif %}
    {% endfor %}
{% endmacro %}
