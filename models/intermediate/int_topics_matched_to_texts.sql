-- The topic of each text by the key words of seeds/topic_words.csv: the one of which most words begin a word of the text.
with texts as (

    select
        texts.text_hash,
        {{ words_of('texts.text') }} as words,
        analysed.language

    from {{ ref('int_texts_united') }} as texts
    left join {{ ref('int_texts_analysed') }} as analysed on texts.text_hash = analysed.text_hash

),

topic_words as (

    select * from {{ ref('topic_words') }}

),

matches as (

    select
        texts.text_hash,
        topic_words.topic,
        count(distinct topic_words.word) as word_count

    from texts
    inner join topic_words
        on
            texts.words like '% ' || lower(topic_words.word) || '%'
            -- A word without a language counts in all; where the language is not known, every word counts.
            and coalesce(topic_words.language = texts.language, true)

    group by texts.text_hash, topic_words.topic

),

-- Of topics with as many words the first in the alphabet.
topics as (

    select
        text_hash,
        topic,
        word_count

    from matches

    qualify row_number() over (partition by text_hash order by word_count desc, topic asc) = 1

)

select * from topics
