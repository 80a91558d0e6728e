-- A shop that never was. Customer n buys about every 5 + n % 40 days; half of those who like letters answer them.
-- Everything follows from hashes, so every run makes the same files.
create temp macro chance(text) as (hash(text) % 1000000) / 1000000.0;

create temp table shoppers as

select
    n,
    'c' || n as customer_key,
    5 + n % 40 as pace,
    timestamp '2023-01-02' + interval 1 day * (n % 90) as created_at

from range(400) as shoppers(n);

create temp table visits as

select
    shoppers.customer_key,
    'i' || shoppers.n || '-' || days.day as invoice_id,
    timestamp '2023-01-02' + interval 1 day * days.day + interval 10 hour as invoiced_at

from shoppers
cross join range(400) as days(day)

where days.day > shoppers.n % 90 and chance('visit' || shoppers.n || '-' || days.day) < 1.0 / shoppers.pace;

copy (

    select
        'shop' as source_system,
        customer_key,
        customer_key || '@example.org' as email,
        case when n % 3 = 0 then 'DE' else 'FR' end as country,
        created_at,
        to_json({'club': n % 2 = 0}) as attributes

    from shoppers

) to '$raw/crm/customers/shop.parquet';

copy (

    select
        'shop' as source_system,
        customer_key,
        'post' as channel,
        'withdrawn' as status,
        timestamp '2024-01-15' as effective_at

    from shoppers

    where n % 50 = 0

) to '$raw/crm/consents/shop.parquet';

copy (

    select
        'shop' as source_system,
        invoice_id,
        invoiced_at,
        customer_key,
        case when chance('web' || invoice_id) < 0.6 then 'web' else 'store' end as sales_channel,
        -- One in twenty is late.
        case when chance('late' || invoice_id) < 0.05 then invoiced_at + interval 10 day end as known_at

    from visits

) to '$raw/invoices/invoices/shop.parquet';

copy (

    select
        'shop' as source_system,
        visits.invoice_id,
        lines.line_no,
        'p' || (hash(visits.invoice_id || lines.line_no) % 20) as product_key,
        1.0 as quantity,
        cast(
            case
                when versions.version = 1 then 1 + hash(visits.invoice_id || lines.line_no) % 5000 / 100.0
                else hash(visits.invoice_id) % 3
            end as decimal(18, 4)
        ) as net_amount,
        cast(hash(visits.invoice_id) % 100 / 100.0 as decimal(18, 4)) as discount_amount,
        case when versions.version = 2 then visits.invoiced_at + interval 20 day end as known_at

    from visits
    cross join range(1, 3) as lines(line_no)
    cross join range(1, 3) as versions(version)

    -- One in twenty is corrected later, a few of them to nothing.
    where versions.version = 1 or chance('corrected' || visits.invoice_id) < 0.05

) to '$raw/invoices/lines/shop.parquet';

copy (

    select
        'shop' as source_system,
        'p' || n as product_key,
        'Product ' || n as product_name,
        'category ' || n % 5 as category,
        'brand ' || n % 3 as brand,
        -- Half of them have one.
        case when n % 2 = 0 then cast(10 + n as decimal(18, 4)) end as list_price

    from range(20) as products(n)

) to '$raw/invoices/products/shop.parquet';

create temp table letters as

select
    n as campaign,
    timestamp '2023-03-01' + interval 1 day * (n * 40) as sent_at

from range(8) as letters(n);

copy (

    select
        'shop' as source_system,
        'letter' || campaign as campaign_id,
        case when campaign % 2 = 0 then 'type_a' else 'type_b' end as action_id,
        sent_at as starts_at,
        sent_at + interval 20 day as ends_at,
        -- Described anew, it is about one category more.
        to_json(list_transform(range(campaign % 4, campaign % 4 + version), lambda n: 'p' || n)) as product_keys,
        to_json({'pages': case when version = 1 then 8 else 16 end}) as attributes,
        case when version = 2 then sent_at + interval 30 day end as known_at

    from letters
    cross join range(1, 3) as versions(version)

    -- Two letters are described anew a month after they were sent.
    where version = 1 or campaign % 4 = 1

) to '$raw/communications/campaigns/shop.parquet';

create temp table posted as

select
    shoppers.n,
    shoppers.customer_key,
    'm' || letters.campaign || '-' || shoppers.n as message_id,
    'letter' || letters.campaign as campaign_id,
    letters.sent_at

from shoppers
cross join letters

where shoppers.created_at < letters.sent_at;

copy (

    select 'shop' as source_system, message_id, customer_key, sent_at, 'post' as channel, campaign_id from posted

) to '$raw/communications/messages/shop.parquet';

copy (

    select
        'shop' as source_system,
        message_id,
        'redeemed' as event_type,
        sent_at + interval 1 day * (1 + n % 15) as occurred_at,
        case when n % 20 = 0 then sent_at + interval 25 day end as known_at

    from posted

    where n % 4 = 0 and chance('answer' || message_id) < 0.5

) to '$raw/communications/events/shop.parquet';
