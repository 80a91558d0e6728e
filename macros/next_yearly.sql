{#- The next time on or after a day at which what happened on a date comes round; what lies ahead comes first on its own date. -#}
{% macro next_yearly(date, day) -%}
    {%- set years = 'greatest(extract(year from ' ~ day ~ ') - extract(year from ' ~ date ~ '), 0)' -%}
    case
        when {{ add_years(date, years) }} >= {{ day }} then {{ add_years(date, years) }}
        else {{ add_years(date, years ~ ' + 1') }}
    end
{%- endmacro %}
