{#-
    Rows of customers who were erased (millpond erase) stay out of the lake when a file brings them back: <home>/erased.csv holds
    salted hashes of their keys. Where nobody was erased, these macros add nothing.
-#}
{% macro erased_customers() -%}
    read_csv('{{ env_var("MILLPOND_HOME", ".millpond") }}/erased.csv', header = true, all_varchar = true)
{%- endmacro %}


{% macro has_erased_customers() %}
    {{ return(execute and target.name != 'lint' and run_query("select 1 from glob('" ~ env_var('MILLPOND_HOME', '.millpond') ~ "/erased.csv')").rows | length > 0) }}
{% endmacro %}


{#- Raw rows, blank where they are those of an erased customer. An invoice stays for the books, as that of a guest. -#}
{% macro without_erased(table, found, raw_rows) %}
    {%- if 'source_system' not in found or 'customer_key' not in found or not has_erased_customers() -%}
        {{ raw_rows }}
    {%- else -%}
        {%- set technical = ['source_system', '_file', '_position', '_malformed', '_line', 'file_row_number'] -%}
        {%- set blanked = ['customer_key'] if table == 'invoices' else found | reject('in', technical) | list -%}
        (
            select * replace (
                {%- for column in blanked %}
                case when not _is_erased then "{{ column }}" end as "{{ column }}"{{ ',' if not loop.last }}
                {%- endfor %}
            )

            from (

                select
                    *,
                    coalesce(
                        sha256(
                            (select any_value(salt) from {{ erased_customers() }})
                            || concat({{ raw_text('source_system', found.source_system) }}, '/', {{ raw_text('customer_key', found.customer_key) }})
                        ) in (select key_sha256 from {{ erased_customers() }}),
                        false
                    ) as _is_erased

                from {{ raw_rows }}

            )
        )
    {%- endif -%}
{% endmacro %}


{#- Why a raw row is rejected: that its customer was erased is the only reason then. -#}
{% macro reasons_or_erased(table, found, reasons) %}
    {%- if table == 'invoices' or 'source_system' not in found or 'customer_key' not in found or not has_erased_customers() -%}
        {{ reasons }}
    {%- else -%}
        case when _is_erased then 'customer was erased' else {{ reasons }} end
    {%- endif -%}
{% endmacro %}


{#-
    An event or a reading that refers to nothing may be that of an erased customer, whose message or asset is gone: once anybody was
    erased, the quarantine says where such a row is and keeps none of it.
-#}
{% macro hide_orphans(columns, parent_key) %}
    {%- if parent_key in ('message_id', 'asset_id') and has_erased_customers() -%}
        {%- set hidden = columns.keys() | reject('in', ['source_system', 'known_at']) | list + ['_raw_row'] %}
    replace (
        {%- for column in hidden %}
        case when reject_reasons not like '%refers to nothing%' then {{ column }} end as {{ column }},
        {%- endfor %}
        case
            when reject_reasons like '%refers to nothing%' then '{{ parent_key }} refers to nothing'
            else reject_reasons
        end as reject_reasons
    )
    {%- endif -%}
{% endmacro %}
