-- What no system knows (docs/synthetic.md), except the truth of messages, which the months write.
copy (

    select
        systems.system as source_system,
        key_of(systems.system, persons.n) as customer_key,
        'person-' || persons.n as person_id

    from persons
    cross join (values ('crm'), ('mailer'), ('shop'), ('till')) as systems(system)

    where
        has_record(systems.system, persons.has_crm, persons.has_mailer, persons.has_shop, persons.has_till)
        and record_day(systems.system, persons.n, persons.entry_day) < $days

    order by persons.n, source_system

) to '$truth/persons/synthetic.parquet' (format parquet);

copy (

    select
        'person-' || persons.n as person_id,
        case persons.shape when 1 then 'poisson' else 'erlang_3' end as process,
        'category ' || (1 + persons.favourite_category) as favourite_category,

        persons.shape,
        persons.rate as purchases_per_clock_day,
        persons.dropout_probability,
        persons.affinity,
        persons.persuasion,

        calendar.date as entered_on,
        gone.date as dropped_out_on

    from persons
    inner join calendar on persons.entry_day = calendar.day
    left join purchases
        on
            persons.n = purchases.n
            and persons.repeats_before_dropout + 1 = purchases.number
    left join calendar as gone on purchases.day = gone.day

    order by persons.n

) to '$truth/purchase_process/synthetic.parquet' (format parquet);

copy (

    select
        date,

        weight,
        starts_on_clock

    from calendar

    order by date

) to '$truth/calendar/synthetic.parquet' (format parquet);

drop table purchases;
