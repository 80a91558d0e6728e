{#-
    When the outcome of a message is closed. An offer cannot be accepted after its campaign's last day, nor count after the action's response
    window. A campaign that we heard of only later tells neither: what has counted as a response would not any more.
-#}
{% macro outcome_closes_at(messages, campaigns, actions) -%}
    {%- set was_known = 'coalesce(' ~ campaigns ~ '.known_at <= ' ~ messages ~ '.described_at, true)' -%}
    {%- set ends_at = campaigns ~ '.ends_at' -%}
    least(
            {{ messages }}.sent_at + interval 1 day * coalesce(
                case when {{ was_known }} then {{ actions }}.response_window_days end, {{ var('response_window_days') }}
            ),
            -- A bare date is a whole day.
            case when {{ was_known }} then {{ ends_at }} + interval 1 day * ({{ ends_at }} = date_trunc('day', {{ ends_at }}))::integer end
        )
{%- endmacro %}
