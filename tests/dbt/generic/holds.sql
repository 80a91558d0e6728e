{#- Rows for which an identity that must always hold does not; each with the first such identity. -#}
{% test holds(model, expressions) %}
select
    case
    {%- for expression in expressions %}
        when not ({{ expression }}) then '{{ expression | replace("'", "''") }}'
    {%- endfor %}
    end as broken,
    *

from {{ model }}

where
{%- for expression in expressions %}
    {{ 'or ' if not loop.first }}not ({{ expression }})
{%- endfor %}
{% endtest %}
