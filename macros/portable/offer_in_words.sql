{#- Why a candidate is worth doing, in words. -#}
{% macro offer_in_words() -%}
    printf(
        '%s by %s: %.1f %% chance of a response worth %.2f, less %.2f cost, is %.2f net',
        action_name, channel, response_propensity * 100, cast(value as double), cast(cost as double), cast(net_value as double)
    )
{%- endmacro %}
