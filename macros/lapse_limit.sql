{#-
    Days without a purchase after which the rhythm of a customer is broken: the mean gap and so many standard deviations, from three
    purchase days on; before, a number of days for everybody. Of few gaps the deviation is often too small by chance, so it is taken to be
    half the mean at least.

    sums: SQL of the number of gaps, the sum of their days and that of the squares.
-#}
{% macro lapse_limit(sums, deviations, default_days) -%}
    {%- set gaps, gap_days_sum, gap_days_squared_sum = sums -%}
    {%- set mean = 'cast(' ~ gap_days_sum ~ ' as double) / ' ~ gaps -%}
    case
        when {{ gaps }} >= 2
            then {{ mean }} + {{ deviations }} * greatest(
                {{ mean }} / 2,
                sqrt(greatest({{ gap_days_squared_sum }} - {{ mean }} * {{ gap_days_sum }}, 0) / ({{ gaps }} - 1))
            )
        else {{ default_days }}
    end
{%- endmacro %}
