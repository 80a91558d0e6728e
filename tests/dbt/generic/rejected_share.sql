{#- Too many rows of a raw table were rejected: what is built from it would mislead, so nothing is. Who was erased does not count. -#}
{% test rejected_share(model) %}
select
    count(*) filter (where row_status = 'rejected' and reject_reasons != 'customer was erased') as rejected,
    count(*) as row_count

from {{ model }}

having count(*) filter (where row_status = 'rejected' and reject_reasons != 'customer was erased') > {{ var('max_quarantine_share') }} * count(*)
{% endtest %}
