-- Whom the campaigns of one month reach, what they answer, and who visits.

-- A campaign chooses people by what was known of them: how long ago they bought, their consent. A tenth of those it chooses is
-- the control arm and hears nothing. Planned messages go out after the last day; nobody has answered yet.
create or replace temp table month_messages as

with month_campaigns as (

    select * from campaigns

    where
        sent_day >= getvariable('first_day')
        and (sent_day < getvariable('next_first_day') or is_planned and getvariable('next_first_day') = $days)

),

last_purchases as (

    select
        month_campaigns.campaign,
        invoices.n,
        max(invoices.day) as last_day

    from invoices
    inner join month_campaigns on invoices.known_day < month_campaigns.sent_day

    where invoices.booking > 0

    group by month_campaigns.campaign, invoices.n

),

reachable as (

    select
        month_campaigns.*,
        persons.n,
        persons.affinity,
        persons.persuasion,
        persons.favourite_category = month_campaigns.category as is_matching,
        month_campaigns.sent_day - coalesce(last_purchases.last_day, persons.entry_day) as days_since_purchase

    from persons
    cross join month_campaigns
    left join last_purchases
        on
            persons.n = last_purchases.n
            and month_campaigns.campaign = last_purchases.campaign
    left join unsubscribed
        on
            persons.n = unsubscribed.n
            and month_campaigns.channel = unsubscribed.channel

    where
        case month_campaigns.system when 'crm' then persons.has_crm else persons.has_mailer end
        and unsubscribed.n is null
        and consents_to(month_campaigns.channel, persons.n)
        and record_day(month_campaigns.system, persons.n, persons.entry_day) < least(month_campaigns.sent_day, $days)
        and not coalesce(
            withdrawal_day(month_campaigns.channel, persons.n)
            between record_day(month_campaigns.system, persons.n, persons.entry_day) + 1 and month_campaigns.sent_day,
            false
        )

),

chosen as (

    select
        *,
        base_choice + 0.35 * exp(-days_since_purchase / 120) as logging_probability,

        -3.6
        + 0.5 * affinity
        + case when is_matching then 0.5 else 0 end
        - 0.35 * ln(1 + days_since_purchase / 30) as control_logit

    from reachable

    where chance('chosen', n, campaign) < logging_probability

)

select
    n,
    campaign,
    channel,
    system,
    is_planned,
    chance('control', n, campaign) < 0.1 and not is_planned as is_control,
    logging_probability,

    1 / (1 + exp(-control_logit)) as true_control_probability,
    1 / (1 + exp(-(control_logit + effect * persuasion * case when is_matching then 1.5 else 1 end))) as true_response_probability,
    not is_planned
    and chance('response', n, campaign)
    < case when is_control then true_control_probability else true_response_probability end as responds,

    moment(sent_day, 9 * 3600 + whole_below(3600, 'sent at', n, campaign)) as sent_at,
    -- Early answers are more frequent; the last comes before the offer ends.
    sent_at + to_seconds(3600 + (end_day - sent_day - 1) * 82800 * power(chance('answer', n, campaign), 2)) as responds_at

from chosen

order by campaign, n;

copy (

    select
        system as source_system,
        id_of('message', n, campaign) as message_id,
        key_of(system, n) as customer_key,
        sent_at,
        channel,
        'c' || campaign as campaign_id,
        case when is_control then 'control' else 'treatment' end as arm,
        case when not is_planned then logging_probability end as logging_probability,
        cast(case channel when 'post' then 0.9 when 'sms' then 0.07 else 0.01 end as decimal(18, 4)) as cost,
        to_json({'language': case when chance('english', n, 0) < 0.2 then 'en' else 'de' end}) as attributes,
        case when not is_planned then sent_at + interval 1 minute end as known_at

    from month_messages

) to '$raw/communications/messages/synthetic-$month.parquet' (format parquet);

copy (

    select
        system as source_system,
        id_of('message', n, campaign) as message_id,

        true_response_probability,
        true_control_probability

    from month_messages

) to '$truth/message_truth/synthetic-$month.parquet' (format parquet);

insert into unsubscribed

select
    n,
    channel,
    sent_at + to_seconds(60 + whole_below(86400, 'unsubscribed', n, campaign))

from month_messages

where
    channel in ('email', 'sms') and not is_control and not is_planned
    and chance('unsubscribed', n, campaign) < 0.004;

-- What can be seen of a treated message; who responds had it delivered, opened and clicked it.
create or replace temp table pending_events as

with treated as (

    select
        *,
        channel in ('email', 'sms') and (responds or chance('delivered', n, campaign) < 0.97) as is_delivered,
        is_delivered and channel = 'email' and (responds or chance('opened', n, campaign) < 0.3) as is_opened,
        is_delivered and (responds or (is_opened or channel = 'sms') and chance('clicked', n, campaign) < 0.15) as is_clicked

    from month_messages

    where not is_control and not is_planned

),

month_events as (

    select
        *,
        1 as step,
        'delivered' as event_type,
        sent_at + interval 30 second as occurred_at

    from treated

    where is_delivered

    union all by name

    select
        *,
        1 as step,
        'bounced' as event_type,
        sent_at + interval 30 second as occurred_at

    from treated

    where channel in ('email', 'sms') and not is_delivered

    union all by name

    select
        *,
        2 as step,
        'opened' as event_type,
        sent_at + (responds_at - sent_at) / 4 as occurred_at

    from treated

    where is_opened

    union all by name

    select
        *,
        3 as step,
        'clicked' as event_type,
        sent_at + (responds_at - sent_at) / 2 as occurred_at

    from treated

    where is_clicked

    union all by name

    select
        *,
        4 as step,
        case when channel = 'post' and not is_control then 'redeemed' else 'converted' end as event_type,
        responds_at as occurred_at

    from month_messages

    where responds

    union all by name

    select
        month_messages.*,
        5 as step,
        'unsubscribed' as event_type,
        unsubscribed.occurred_at

    from month_messages
    inner join unsubscribed
        on
            month_messages.n = unsubscribed.n
            and month_messages.channel = unsubscribed.channel

    where unsubscribed.occurred_at between month_messages.sent_at and month_messages.sent_at + interval 2 day

)

select * from pending_events

where known_at >= moment(getvariable('first_day'), 0)

union all by name

select
    n,
    campaign,
    step,
    system,
    event_type,
    occurred_at,
    -- One in fifty is reported up to five days late.
    occurred_at + case
        when chance('event late', n, campaign * 8 + step) < 0.02
            then to_seconds(86400 + whole_below(345600, 'event late by', n, campaign * 8 + step))
        else interval 1 minute
    end as known_at,
    case when step = 4 then cast(round(10 + 60 * chance('value', n, campaign), 2) as decimal(18, 4)) end as value_amount

from month_events;

copy (

    select
        system as source_system,
        id_of('message', n, campaign) as message_id,
        event_type,
        occurred_at,
        value_amount,
        known_at

    from pending_events

    where known_at < moment(getvariable('next_first_day'), 0)

    order by known_at, campaign, n, step

) to '$raw/communications/events/synthetic-$month.parquet' (format parquet);

-- A visit leads to each purchase of the webshop; other visits say nothing of purchases to come.
copy (

    with looks as (

        select
            n,
            entry_day,
            unnest(range(1 + cast(floor(3 * power(chance('curious', n, 0), 2)) as integer))) as look,
            getvariable('first_day') * 4 + look as slot,
            getvariable('first_day')
            + whole_below(getvariable('next_first_day') - getvariable('first_day'), 'look day', n, slot) as day

        from persons

        where has_shop

    ),

    month_visits as (

        select
            n,
            booking as visit,
            day,
            second - 1200 as second,
            favourite_category as category

        from month_invoices

        where system = 'shop' and n >= 0 and booking > 0

        union all

        select
            n,
            -1 - slot as visit,
            day,
            whole_below(86400, 'look at', n, slot) as second,
            whole_below(12, 'look', n, slot) as category

        from looks

        where day > entry_day

    )

    select
        'shop' as source_system,
        id_of('visit', n, visit) as visit_id,
        key_of('shop', n) as customer_key,
        moment(day, second) as visited_at,
        case when chance('app', n, 0) < 0.3 then 'app' else 'web' end as channel,
        'category ' || (1 + category) as category,
        cast(30 + whole_below(900, 'duration', n, visit) as double) as duration_seconds

    from month_visits

    order by day, n, visit

) to '$raw/communications/visits/synthetic-$month.parquet' (format parquet);
