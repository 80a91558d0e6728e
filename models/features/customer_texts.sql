{%- set windows = {'recent': 'age_days <= 90', 'earlier': 'age_days > 90 and age_days <= 365', 'year': 'age_days <= 365'} -%}
with observations as (

    {{ new_observations() }}

),

-- As decimals, so that sums do not depend on the order of rows.
texts as (

    select
        observations.customer_id,
        observations.observation_date,
        texts.topic,
        cast(texts.sentiment as decimal(18, 12)) as sentiment,
        texts.written_at,
        texts.source_system || ' ' || texts.kind || ' ' || texts.text_id as text_key,
        {{ days_between('cast(texts.written_at as date)', 'observations.observation_date') }} as age_days

    from observations
    inner join {{ ref('int_texts_versioned') }} as texts on {{ observable('texts', 'written_at') }}

),

told as (

    select
        customer_id,
        observation_date,

        {% for name, ages in windows.items() -%}
        count(*) filter (where {{ ages }}) as {{ name }}_texts,
        cast(sum(sentiment) filter (where {{ ages }}) as double)
        / nullif(count(sentiment) filter (where {{ ages }}), 0) as {{ name }}_sentiment,
        {% endfor -%}
        cast(count(*) filter (where sentiment < 0 and {{ windows.year }}) as double)
        / nullif(count(sentiment) filter (where age_days <= 365), 0) as negative_share,
        max_by(sentiment, (written_at, text_key)) filter (where sentiment is not null) as last_sentiment,
        min(age_days) as days_since_last_text

    from texts

    group by customer_id, observation_date

),

-- Of topics with as many texts the first in the alphabet.
topics as (

    select
        customer_id,
        observation_date,
        topic

    from texts

    where topic is not null and age_days <= 365

    group by customer_id, observation_date, topic

    qualify row_number() over (partition by customer_id, observation_date order by count(*) desc, topic asc) = 1

),

features as (

    select
        observations.customer_id,

        topics.topic as main_topic_past_365_days,

        coalesce(told.recent_texts, 0) as texts_past_90_days,
        coalesce(told.year_texts, 0) as texts_past_365_days,
        cast(told.days_since_last_text as bigint) as days_since_last_text,

        told.recent_sentiment as sentiment_mean_past_90_days,
        told.year_sentiment as sentiment_mean_past_365_days,
        told.recent_sentiment - told.earlier_sentiment as sentiment_trend,
        cast(told.last_sentiment as double) as sentiment_last,
        told.negative_share as negative_share_past_365_days,

        observations.observation_date

    from observations
    left join told using (customer_id, observation_date)
    left join topics using (customer_id, observation_date)

)

select * from features
