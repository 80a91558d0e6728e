-- Months, the clock by which people buy, and the people.
create temp table months as

with days as (

    select unnest(range($days)) as day

)

select
    strftime(moment(day, 0), '%Y-%m') as month,

    min(day) as first_day,
    max(day) + 1 as next_first_day

from days

group by month

order by month;

-- Purchases run on a clock of their own, on which every day of the world has a weight: Saturdays and December pass faster.
create temp table calendar as

with days as (

    select
        day,
        cast(moment(day, 0) as date) as date,

        -- Monday to Sunday
        [0.9, 0.85, 0.9, 1.0, 1.2, 1.5, 0.65][isodow(moment(day, 0))]
        * (1 + 0.15 * cos(2 * pi() * (week(moment(day, 0)) - 48) / 52))
        * case
            when week(moment(day, 0)) between 47 and 51 then 1.5
            when week(moment(day, 0)) between 2 and 3 then 1.2
            else 1
        end as busyness

    from range($days) as days(day)

),

weighed as (

    select
        day,
        date,

        busyness * $days / sum(busyness) over () as weight

    from days

)

select
    *,
    sum(weight) over (order by day) - weight as starts_on_clock

from weighed

order by day;

-- The clock is read in steps of 1/32 day: step i + 1 of this list is the calendar day at clock time i / 32.
set variable day_of_step = (

    select list(cast(calendar.day as integer) order by steps.step)

    from (select unnest(range($days * 32)) as step) as steps
    asof inner join calendar on (steps.step + 0.5) / 32 >= calendar.starts_on_clock

);

create temp table persons as

with numbers as (

    select n from range($customers) as numbers(n)

),

traits as (

    select
        n,

        case when chance('process', n, 0) < 0.5 then 1 else 3 end as shape,
        -- Purchases per clock day: gamma with shape 1.5 where buying is memoryless, else log-normal cycles of about 35 days.
        case
            when shape = 1 then (-ln(chance('rate', n, 0)) + power(normal('rate', n), 2) / 2) * 0.0195
            else 1 / (35 * exp(0.5 * normal('cycle', n)))
        end as rate,
        -- Beta(1, 24), as in BG/NBD with a = 1, b = 24
        1 - power(chance('dropout', n, 0), 1.0 / 24) as dropout_probability,
        -- Just over half are there from the first weeks; the others come evenly until the end.
        case
            when chance('entry', n, 0) < 0.55 then 60 * chance('entry', n, 1)
            else $days * chance('entry', n, 1)
        end as enters_on_clock,

        whole_below(12, 'category', n, 0) as favourite_category,
        normal('affinity', n) as affinity,
        -- What contact does to somebody: nothing to a fifth, harm to one in twenty.
        case
            when chance('persuasion', n, 0) < 0.2 then 0
            when chance('persuasion', n, 0) < 0.25 then -0.6
            else 0.5 + chance('persuasion', n, 1)
        end as persuasion,
        ['DE', 'DE', 'DE', 'DE', 'DE', 'DE', 'DE', 'DE', 'AT', 'AT', 'FR', 'CH', 'GB', 'US'][
            case
                when chance('country', n, 0) < 0.95 then 1 + whole_below(11, 'country', n, 1)
                else 12 + whole_below(3, 'country', n, 1)
            end
        ] as country,

        chance('till', n, 0) < 0.65 as has_till,
        chance('till', n, 0) >= 0.65 or chance('shop', n, 0) < 0.5 as has_shop,
        chance('crm', n, 0) < 0.65 as has_crm,
        chance('mailer', n, 0) < 0.75 as has_mailer,

        -- Every block of four neighbours may hold a family of 2 to 4, which shares an address or a telephone.
        chance('family', n // 4, 0) < 0.15 and n % 4 < 2 + whole_below(3, 'family', n // 4, 1) as is_in_family,
        chance('family', n // 4, 2) < 0.5 as shares_email,
        -- An office address per 20,000 persons, used by one in a hundred of them
        chance('office', n, 0) < 0.01 as uses_office_email

    from numbers

)

select
    * exclude (is_in_family, shares_email, uses_office_email),
    cast(getvariable('day_of_step')[1 + cast(floor(enters_on_clock * 32) as integer)] as integer) as entry_day,

    -- After each repeat purchase somebody may be gone for good.
    cast(ceil(least(ln(chance('gone', n, 0)) / ln(1 - dropout_probability), 100000)) as integer) as repeats_before_dropout,

    -- Whose e-mail and telephone somebody uses; below zero: an office.
    case
        when uses_office_email then -1 - n // 20000
        when is_in_family and shares_email then n // 4 * 4
        else n
    end as email_owner,
    case when is_in_family and not shares_email then n // 4 * 4 else n end as phone_owner

from traits

order by n;
