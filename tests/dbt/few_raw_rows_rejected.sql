{#- Too many rows of a raw table were rejected: what is built from it would mislead, so nothing is. Who was erased does not count. -#}
{%- set counts = [] -%}
{%- for family, table in raw_tables() -%}
    {%- set base = ref('base_' ~ family ~ '__' ~ table) -%}
    {%- if execute and target.name != 'lint' and base_table(family, table) -%}
        {%- do counts.append(
            "select '" ~ base.identifier ~ "' as base_model, count(*) filter (where row_status = 'rejected' and reject_reasons != 'customer was erased') as rejected,"
            ~ ' count(*) as row_count from ' ~ base
        ) -%}
    {%- endif -%}
{%- endfor -%}
{%- set misleading -%}
    select * from ({{ counts | join(' union all ') }}) as counts where rejected > {{ var('max_quarantine_share') }} * row_count
{%- endset -%}
{%- for row in (run_query(misleading) if counts else []) -%}
    {%- do raise_user_error('too_many_rejected', row[1] ~ ' of ' ~ row[2] ~ ' rows of ' ~ row[0] ~ ' were rejected, more than max_quarantine_share allows, so the lake stays as it was: see'
        ~ " `millpond sql --failed 'select distinct reject_reasons from staging." ~ row[0] ~ "'`, mend the files and land them again") -%}
{%- endfor -%}
select 1 as misleading_table

where false
