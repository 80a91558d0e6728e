-- What people buy and when: purchases of the process, then the invoices and credit notes that come of them.
create temp table purchases as

with numbered as (

    select
        *,
        -- As many as dropout allows, or the mean and four standard deviations.
        unnest(range(1, 2 + cast(least(repeats_before_dropout, rate * $days + 4 * sqrt(rate * $days) + 6) as integer))) as number

    from persons

),

gaps as (

    select
        n,
        number,

        -- In millionths of a clock day: whole numbers add up alike in any order.
        cast(case
            when number = 1 then enters_on_clock
            when shape = 1 then -ln(chance('gap', n, number)) / rate
            else -ln(chance('gap', n, number) * chance('gap b', n, number) * chance('gap c', n, number)) / (3 * rate)
        end * 1000000 as bigint) as gap

    from numbered

),

clocked as (

    select
        n,
        number,
        sum(gap) over (partition by n order by number rows unbounded preceding) as clock

    from gaps

)

select
    cast(n as integer) as n,
    cast(number as integer) as number,
    cast(getvariable('day_of_step')[1 + cast(clock // 31250 as integer)] as integer) as day

from clocked

where clock < $days * 1000000

order by n, number;

-- Invoices and credit notes in the order in which they reach the company. Guests have numbers below zero: nobody in persons.
create temp table invoices as

with bought as (

    select
        purchases.n,
        purchases.number,
        purchases.day,
        persons.country,
        persons.favourite_category,

        persons.has_till and (not persons.has_shop or chance('system', purchases.n, purchases.number) < 0.5) as is_till

    from purchases
    inner join persons on purchases.n = persons.n

    union all by name

    select
        -1 - guests.n as n,
        1 as number,
        whole_below($days, 'guest', -1 - guests.n, 0) as day,
        'DE' as country,
        whole_below(12, 'category', -1 - guests.n, 0) as favourite_category,

        false as is_till

    from range($customers // 2) as guests(n)

),

sized as (

    select
        *,
        false as is_credit_note,
        cast(1 + floor(8 * power(chance('lines', n, number), 1.25)) as integer) as line_count

    from bought

),

booked as (

    select
        *,
        day as sold_day

    from sized

    union all by name

    -- Part of what is sold comes back some days later: all lines or the first.
    select
        * exclude (day, is_credit_note, line_count),
        day + 3 + whole_below(25, 'credit note', n, number) as day,
        true as is_credit_note,
        case when chance('credit note', n, -number) < 0.5 then 1 else line_count end as line_count,
        day as sold_day

    from sized

    where chance('credit note', n, number) < 0.03

),

known as (

    select
        *,
        case when is_credit_note then -number else number end as booking,
        whole_below(43200, 'time of day', n, booking) + 8 * 3600 as second,
        case when chance('late', n, booking) < 0.02 then 1 + whole_below(14, 'late by', n, booking) else 0 end as days_late,
        case when chance('corrected', n, booking) < 0.02 then 1 + whole_below(line_count, 'corrected', n, booking) end as corrected_line

    from booked

)

select
    cast(n as integer) as n,
    cast(booking as integer) as booking,
    case when is_till then 'till' else 'shop' end as system,
    country,

    cast(favourite_category as tinyint) as favourite_category,
    cast(line_count as tinyint) as line_count,
    cast(corrected_line as tinyint) as corrected_line,

    cast(day as integer) as day,
    cast(second as integer) as second,
    cast(sold_day as integer) as sold_day,
    cast(day + days_late as integer) as known_day,
    cast(day + days_late + case when corrected_line is not null then 1 + whole_below(20, 'corrected by', n, booking) end as integer)
        as corrected_day

from known

where day + days_late < $days

order by known_day, n, booking;
