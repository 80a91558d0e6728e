{#- Why a candidate is worth doing, in words. -#}
{% macro offer_in_words() -%}
    printf(
        '%s by %s: %.1f %% chance %s a response worth %.2f, less %.2f cost, is %.2f net',
        action_name, channel, expected_responses * 100,
        case when expected_responses = response_propensity then 'of' else 'to cause' end,
        cast(value as double), cast(cost as double), cast(net_value as double)
    )
{%- endmacro %}
