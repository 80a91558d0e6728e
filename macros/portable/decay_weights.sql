{#-
    exp(-age / tau) of every age from a day on, as a list of decimals with twelve digits; older ones round to nothing. To be looked up by
    age: so the power is taken once per age and not once per row.
-#}
{% macro decay_weights(tau) -%}
    list_transform(range(1, {{ 29 * tau }}), lambda age: cast(exp(-age / {{ tau }}.0) as decimal(18, 12)))
{%- endmacro %}
