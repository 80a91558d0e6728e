-- Which consent holds from and until when, as it was known from and until when. Of each record of a customer the newest statement holds, and
-- of all records the most restrictive one: withdrawn before granted, and both before nothing.
with statements as (

    select
        consents.* exclude (superseded_at),
        case when consents.superseded_at < as_of.as_of_date then consents.superseded_at end as superseded_at

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
    inner join statements
        on
            knowledge.customer_id = statements.customer_id
            and knowledge.channel = statements.channel
            and knowledge.purpose = statements.purpose
            and {{ known_in('statements', 'knowledge') }}

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

by_record as (

    select
        believed.* exclude (effective_at),
        instants.valid_from,
        -- Of two statements of one moment the more restrictive holds: "withdrawn" sorts after "granted".
        row_number() over (
            partition by
                believed.customer_id, believed.channel, believed.purpose, believed.known_at, instants.valid_from, believed.record_id
            order by believed.effective_at desc, believed.status desc
        ) as place

    from believed
    inner join instants
        on
            believed.customer_id = instants.customer_id
            and believed.channel = instants.channel
            and believed.purpose = instants.purpose
            and believed.known_at = instants.known_at
            and believed.effective_at <= instants.valid_from

),

held as (

    select
        customer_id,
        channel,
        purpose,
        max(status) as status,
        valid_from,
        known_at,
        superseded_at

    from by_record

    where place = 1

    group by customer_id, channel, purpose, valid_from, known_at, superseded_at

),

compared as (

    select
        *,
        lag(status) over (partition by customer_id, channel, purpose, known_at order by valid_from) as earlier_status

    from held

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

    from compared

    where status is distinct from earlier_status

)

select * from periods
