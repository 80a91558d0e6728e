-- Which consent holds from and until when, as it was known from and until when. Of each record of a customer the newest statement holds, and
-- of all records the most restrictive one: withdrawn before granted, and both before nothing.
with statements as (

    select consents.* replace (case when consents.superseded_at < as_of.as_of_date then consents.superseded_at end as superseded_at)

    from {{ ref('int_consents_versioned') }} as consents
    cross join {{ ref('int_as_of_date') }} as as_of

    where consents.known_at < as_of.as_of_date

),

knowledge as (

    {{ knowledge_periods('statements', 'customer_id, channel, purpose') }}

),

believed as (

    select
        knowledge.*,
        statements.record_id,
        statements.status,
        statements.effective_at

    from knowledge
    inner join statements using (customer_id, channel, purpose)

    where {{ known_in('statements', 'knowledge') }}

),

-- Of two statements of one moment the more restrictive holds.
by_record as (

    select
        * exclude (status, effective_at),
        effective_at as valid_from,
        cast(bool_or(status = 'withdrawn') as integer) as is_withdrawn

    from believed

    group by customer_id, channel, purpose, known_at, superseded_at, record_id, effective_at

),

-- By how many the records that have withdrawn become more or fewer: so the work grows with the statements, and not with their pairs.
turns as (

    select
        * exclude (record_id, is_withdrawn),
        is_withdrawn - coalesce(lag(is_withdrawn) over (
            partition by customer_id, channel, purpose, known_at, record_id order by valid_from
        ), 0) as more_withdrawn

    from by_record

),

by_instant as (

    select
        * exclude (more_withdrawn),
        sum(more_withdrawn) as more_withdrawn

    from turns

    group by customer_id, channel, purpose, known_at, superseded_at, valid_from

),

states as (

    select
        * exclude (more_withdrawn),
        case when sum(more_withdrawn) over so_far > 0 then 'withdrawn' else 'granted' end as status

    from by_instant

    window so_far as (partition by customer_id, channel, purpose, known_at order by valid_from)

),

changed as (

    select * from states

    qualify status is distinct from lag(status) over (partition by customer_id, channel, purpose, known_at order by valid_from)

),

periods as (

    select
        customer_id,

        channel,
        purpose,
        status,

        valid_from,
        lead(valid_from) over (partition by customer_id, channel, purpose, known_at order by valid_from) as valid_to,
        known_at,
        superseded_at

    from changed

)

select * from periods
