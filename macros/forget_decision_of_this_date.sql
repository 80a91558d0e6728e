{% macro forget_decision_of_this_date() %}
    {#- Named outside the condition, so that dbt sees the edge while it parses. -#}
    {% set as_of_date = ref('int_as_of_date') %}
    {% if is_incremental() %}
        delete from {{ this }}

        where as_of_date = (select as_of_date from {{ as_of_date }})
    {% endif %}
{% endmacro %}
