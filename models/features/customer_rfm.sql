{%- set measures = {'recency': 'days_since_last_purchase', 'frequency': 'purchase_days', 'monetary': 'net_amount'} -%}
with observations as (

    {{ new_observations() }}

),

measured as (

    select
        observations.customer_id,
        observations.observation_date,
        rhythm.days_since_last_purchase,
        purchases.purchase_days_past_365_days as purchase_days,
        purchases.net_amount_past_365_days as net_amount

    from observations
    inner join {{ ref('customer_rhythm') }} as rhythm using (customer_id, observation_date)
    inner join {{ ref('customer_purchases') }} as purchases using (customer_id, observation_date)

),

-- Fixed thresholds and not quintiles: a score must not change when others become known.
thresholds as (

    select
        *,
        lead(from_value) over (partition by measure order by from_value) as next_from_value

    from {{ ref('rfm_thresholds') }}

),

scored as (

    select
        measured.customer_id,
        {% for measure in measures -%}
        cast({{ measure }}.score as bigint) as rfm_{{ measure }}_score,
        {% endfor -%}
        measured.observation_date

    from measured
    {% for measure, column in measures.items() -%}
    left join thresholds as {{ measure }}
        on
            {{ measure }}.measure = '{{ measure }}'
            and measured.days_since_last_purchase is not null
            and measured.{{ column }} >= {{ measure }}.from_value
            and measured.{{ column }} < coalesce({{ measure }}.next_from_value, 1e18)
    {% endfor %}
),

features as (

    select
        scored.customer_id,

        segments.segment as rfm_segment,

        scored.rfm_recency_score,
        scored.rfm_frequency_score,
        scored.rfm_monetary_score,

        scored.observation_date

    from scored
    left join {{ ref('rfm_segments') }} as segments
        on
            scored.rfm_recency_score = segments.recency_score
            and scored.rfm_frequency_score = segments.frequency_score

)

select * from features
