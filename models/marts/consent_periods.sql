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

instants as (

    select distinct
        customer_id,
        channel,
        purpose,
        known_at,
        effective_at as valid_from

    from believed

),

-- Of two statements of one moment the more restrictive holds: "withdrawn" sorts after "granted".
by_record as (

    select
        believed.* exclude (record_id, status, effective_at),
        max_by(believed.status, (believed.effective_at, believed.status)) as status,
        instants.valid_from

    from believed
    inner join instants using (customer_id, channel, purpose, known_at)

    where believed.effective_at <= instants.valid_from

    group by customer_id, channel, purpose, known_at, believed.superseded_at, believed.record_id, instants.valid_from

),

changed as (

    select
        * exclude (status),
        max(status) as status

    from by_record

    group by customer_id, channel, purpose, known_at, superseded_at, valid_from

    qualify max(status) is distinct from lag(max(status)) over (partition by customer_id, channel, purpose, known_at order by valid_from)

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
