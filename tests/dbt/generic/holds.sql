{#- Rows for which an identity that must always hold does not. -#}
{% test holds(model, expression) %}
select *

from {{ model }}

where not ({{ expression }})
{% endtest %}
