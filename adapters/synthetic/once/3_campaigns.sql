-- What is decided in advance: campaigns and products; and the tables that the months hand on to each other.
-- One campaign per month and channel; messages go out a week after it starts. The last ones are planned: started, but not sent yet.
create temp table campaigns as

with channels as (

    select *

    from (
        values
        ('email', 0, 'mailer', 0.6, 21, ['voucher_mail', 'newsletter', 'reminder_mail'], [1.2, 0.3, 0.7]),
        ('post', 1, 'crm', 0.5, 45, ['type_a', 'type_b', 'type_c'], [1.4, 0.9, 0.5]),
        ('sms', 2, 'crm', 0.4, 21, ['flash_sms', 'flash_sms', 'reminder_sms'], [0.8, 0.8, 0.6])
    ) as channels(channel, channel_number, system, base_choice, days_open, actions, effects)

),

slots as (

    select
        row_number() over (order by first_day) as slot,
        first_day + 8 as earliest_day,
        false as is_planned

    from months

    where first_day + 23 < $days

    union all

    select
        1000 as slot,
        $days + 2 as earliest_day,
        true as is_planned

)

select
    slots.slot * 3 + channels.channel_number as campaign,
    channels.channel,
    channels.system,
    channels.base_choice,
    channels.actions[1 + whole_below(3, 'action', campaign, 0)] as action_id,
    channels.effects[1 + whole_below(3, 'action', campaign, 0)] as effect,
    whole_below(12, 'campaign category', campaign, 0) as category,
    whole_below(5, 'discount', campaign, 0) * 5 + 5 as discount_percent,

    slots.is_planned,

    slots.earliest_day + case when slots.is_planned then 0 else whole_below(15, 'sent', campaign, 0) end as sent_day,
    sent_day - 7 as start_day,
    sent_day + channels.days_open as end_day

from slots
cross join channels

order by campaign;

create temp table unsubscribed (n bigint, channel varchar, occurred_at timestamp);

create temp table pending_events (
    n bigint, campaign bigint, step integer, system varchar, event_type varchar,
    occurred_at timestamp, known_at timestamp, value_amount decimal(18, 4)
);

-- Products and everything else without a date of its own is known from the start.
copy (

    select
        system as source_system,
        printf('P%04d', product) as product_key,
        ['Alder', 'Birch', 'Cedar', 'Dune', 'Elm'][1 + whole_below(5, 'product name', product, 0)]
        || ' '
        || ['lamp', 'mug', 'chair', 'jacket', 'tent', 'pan', 'pen', 'clock', 'scarf', 'ball', 'soap', 'tea'][1 + category_of(product)]
        || ' ' || product as product_name,
        'category ' || (1 + category_of(product)) as category,
        'category ' || (1 + category_of(product)) || '.' || (1 + whole_below(4, 'subcategory', product, 0)) as subcategory,
        'brand ' || (1 + whole_below(40, 'brand', product, 0)) as brand,
        cast(list_price(product) as decimal(18, 4)) as list_price,
        cast(round(list_price(product) * (0.4 + 0.3 * chance('unit cost', product, 0)), 2) as decimal(18, 4)) as unit_cost

    from range(1000) as products(product)
    cross join (values ('shop'), ('till')) as systems(system)

    order by source_system, product_key

) to '$raw/invoices/products/synthetic.parquet' (format parquet);

-- The offer is about the 20 products of a category that sell best: those of low number.
copy (

    select
        system as source_system,
        'c' || campaign as campaign_id,
        action_id || ' of ' || strftime(moment(sent_day, 0), '%Y-%m') as campaign_name,
        action_id,
        moment(start_day, 6 * 3600) as starts_at,
        moment(end_day, 0) as ends_at,
        to_json([printf('P%04d', category + 12 * place) for place in range(20)]) as product_keys,
        to_json({'discount_percent': discount_percent, 'category': 'category ' || (1 + category)}) as attributes

    from campaigns

    order by campaign

) to '$raw/communications/campaigns/synthetic.parquet' (format parquet);
