-- What the systems learn about people in one month.
copy (

    with records as (

        select
            persons.*,
            systems.system,
            record_day(systems.system, persons.n, persons.entry_day) as created_day

        from persons
        cross join (values ('crm'), ('mailer'), ('shop'), ('till')) as systems(system)

        where has_record(systems.system, persons.has_crm, persons.has_mailer, persons.has_shop, persons.has_till)

    ),

    versions as (

        select
            *,
            created_day as known_day,
            0 as home

        from records

        union all

        -- One in 33 moves, and says so to each system that has an address.
        select
            *,
            created_day + 30 + whole_below(600, 'moves', n, 0) as known_day,
            1 as home

        from records

        where system in ('crm', 'shop') and chance('moves', n, 1) < 0.03

    ),

    month_versions as (

        select
            *,
            chance('has address ' || system, n, 0)
            < case system when 'mailer' then 1 when 'shop' then 0.97 when 'crm' then 0.85 else 0.2 end as has_email,
            chance('has telephone ' || system, n, 0)
            < case system when 'mailer' then 0 when 'shop' then 0.3 when 'crm' then 0.7 else 0.35 end as has_phone,
            chance('has card ' || system, n, 0)
            < case system when 'mailer' then 0 when 'shop' then 0.35 when 'crm' then 0.6 else 1 end as has_card,
            name_of(n) as full_name,
            1 + whole_below(5, 'city', n, home) as city

        from versions

        where known_day >= getvariable('first_day') and known_day < getvariable('next_first_day')

    )

    select
        system as source_system,
        key_of(system, n) as customer_key,
        case when has_email then as_typed(email_of(email_owner), system, n) end as email,
        case when has_phone then phone_of(phone_owner, country, whole_below(4, 'telephone as typed ' || system, n, 0)) end as phone,
        case when has_card then printf('L%010d', (n * 104729 + 271828) % 10000000000) end as loyalty_key,
        case when system in ('crm', 'shop') then full_name end as full_name,
        case when system = 'crm' then date '1940-01-01' + whole_below(24000, 'born', n, 0) end as birth_date,
        case when system in ('crm', 'shop') then country end as country,
        case when system in ('crm', 'shop') then printf('%d%03d', city, whole_below(1000, 'postal code', n, home)) end as postal_code,
        case when system in ('crm', 'shop') then ['Northford', 'Eastham', 'Südstadt', 'Westerburg', 'Middleton'][city] end as city,
        case system
            when 'shop' then ['search', 'social', 'friend'][1 + whole_below(3, 'acquired', n, 0)]
            when 'till' then 'store'
        end as acquisition_channel,
        moment(created_day, 7 * 3600) as created_at,
        case
            when system = 'crm'
                then to_json({
                    'language': case when chance('english', n, 0) < 0.2 then 'en' else 'de' end,
                    'business': chance('business', n, 0) < 0.1,
                    'interest': case when chance('interest', n, 0) < 0.6 then 'category ' || (1 + favourite_category) end
                })
        end as attributes,
        moment(known_day, 7 * 3600 + home * 3600) as known_at

    from month_versions

    order by known_day, system, n

) to '$raw/crm/customers/synthetic-$month.parquet' (format parquet);

copy (

    with channels as (

        select *

        from (values ('email', 'mailer'), ('post', 'crm'), ('sms', 'crm')) as channels(channel, system)

    ),

    consenting as (

        select
            channels.channel,
            channels.system,
            persons.n,
            record_day(channels.system, persons.n, persons.entry_day) as created_day,
            withdrawal_day(channels.channel, persons.n) as withdrawn_day

        from persons
        cross join channels

        where
            case channels.system when 'crm' then persons.has_crm else persons.has_mailer end
            and consents_to(channels.channel, persons.n)

    ),

    statements as (

        select
            channel,
            system,
            n,
            'granted' as status,
            moment(created_day, 7 * 3600) as effective_at,
            'form' as evidence

        from consenting

        union all by name

        -- Who withdraws before there is a record is not heard.
        select
            channel,
            system,
            n,
            'withdrawn' as status,
            moment(withdrawn_day, 36000) as effective_at,
            'letter' as evidence

        from consenting

        where withdrawn_day > created_day

        union all by name

        select
            channel,
            system,
            n,
            'granted' as status,
            moment(withdrawn_day + 60, 36000) as effective_at,
            'form' as evidence

        from consenting

        where withdrawn_day > created_day and chance('grants again ' || channel, n, 0) < 0.25

        union all by name

        select
            unsubscribed.channel,
            channels.system,
            unsubscribed.n,
            'withdrawn' as status,
            unsubscribed.occurred_at as effective_at,
            'unsubscribe link' as evidence

        from unsubscribed
        inner join channels on unsubscribed.channel = channels.channel

    ),

    known as (

        select
            *,
            -- Letters take three days to be entered.
            effective_at + case evidence when 'letter' then interval 3 day else interval 1 minute end as known_at

        from statements

    )

    select
        system as source_system,
        key_of(system, n) as customer_key,
        channel,
        status,
        effective_at,
        evidence,
        known_at

    from known

    where
        known_at >= moment(getvariable('first_day'), 0)
        and known_at < moment(getvariable('next_first_day'), 0)

    order by known_at, channel, n, status

) to '$raw/crm/consents/synthetic-$month.parquet' (format parquet);

-- One purchase in 70 leads to a case. Its body and its satisfaction agree; neither has a part in what is bought later.
copy (

    with opened as (

        select
            *,
            chance('case english', n, 0) < 0.2 as is_english,
            chance('mood', n, booking) as mood,
            moment(known_day + 1 + whole_below(5, 'case', n, booking), second) as opened_at,
            opened_at + to_seconds(3600 + whole_below(864000, 'case closed', n, booking)) as closed_at

        from invoices

        where
            n >= 0 and booking > 0 and chance('case', n, booking) < 0.014
            and known_day >= getvariable('first_day') - 20
            and known_day < getvariable('next_first_day')

    ),

    versions as (

        select
            *,
            false as is_closed,
            opened_at as known_at

        from opened

        union all

        select
            *,
            true as is_closed,
            closed_at as known_at

        from opened

    )

    select
        system as source_system,
        id_of('case', n, booking) as case_id,
        key_of(system, n) as customer_key,
        opened_at,
        case when is_closed then closed_at end as closed_at,
        ['delivery', 'quality', 'invoice', 'advice'][1 + whole_below(4, 'topic', n, booking)] as topic,
        case system when 'shop' then 'email' else 'store' end as channel,
        body_of(mood, is_english, whole_below(3, 'body', n, booking)) as body,
        case when is_closed then round(mood, 2) end as satisfaction,
        known_at

    from versions

    where
        known_at >= moment(getvariable('first_day'), 0)
        and known_at < moment(getvariable('next_first_day'), 0)

    order by known_at, n, booking

) to '$raw/crm/cases/synthetic-$month.parquet' (format parquet);

copy (

    select
        'crm' as source_system,
        key_of('crm', n) as customer_key,
        case when chance('occasion', n, 1) < 0.7 then 'birthday' else 'anniversary' end as occasion,
        date '1990-01-01' + whole_below(10000, 'occasion', n, 0) as occurs_on,
        'yearly' as repeats,
        ['self', 'partner', 'mother', 'child'][1 + whole_below(4, 'recipient', n, 0)] as recipient,
        case when chance('taste', n, 0) < 0.5 then 'category ' || (1 + favourite_category) end as taste,
        moment(record_day('crm', n, entry_day), 7 * 3600) as known_at

    from persons

    where
        has_crm and chance('occasion', n, 0) < 0.2
        and record_day('crm', n, entry_day) >= getvariable('first_day')
        and record_day('crm', n, entry_day) < getvariable('next_first_day')

    order by known_at, n

) to '$raw/crm/occasions/synthetic-$month.parquet' (format parquet);
