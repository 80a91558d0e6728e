{#-
    After a raw table was read, and its rows are kept so that they can be asked: stops a build if so many were rejected that what follows
    would mislead. Who was erased does not count.
-#}
{% macro require_few_rejected() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set rejected, row_count = run_query(
        "select count(*) filter (where row_status = 'rejected' and reject_reasons != 'customer was erased'), count(*) from " ~ this
    ).rows[0].values() %}
    {% if rejected > var('max_quarantine_share') * row_count %}
        {% do raise_user_error('too_many_rejected', rejected ~ ' of ' ~ row_count ~ ' rows of ' ~ this.identifier ~ ' were rejected, more than max_quarantine_share allows, so the lake stays as it was: see'
            ~ " `millpond sql --failed 'select distinct reject_reasons from staging." ~ this.identifier ~ "'`, mend the files and land them again") %}
    {% endif %}
{% endmacro %}
