-- Three exports of a small shop, with the dirt that exports have: copy this file to adapters/<name>.sql and edit it there.
-- $source is a folder with orders.csv, contacts.csv and newsletters.csv, $raw the raw folder (docs/own_data.md).
create temp macro text_of(value) as nullif(trim(value), '');
create temp macro mail_of(value) as lower(text_of(value));
create temp macro amount_of(value) as cast(replace(replace(value, '.', ''), ',', '.') as decimal(18, 4)); -- 1.234,50
create temp macro utc_of(local_time) as timezone('UTC', timezone('Europe/Berlin', local_time));

-- all_varchar keeps what guessed types lose: leading zeros of numbers, decimal commas, days before months.
create temp table order_lines as

select
    *,
    row_number() over () as file_row,
    cast("Lineitem quantity" as double) * amount_of("Lineitem price") as list_amount

from read_csv('$source/orders.csv', all_varchar = true, header = true);

-- What belongs to a whole order stands in its first row only. A void order was never sold.
create temp table orders as

select
    Name as invoice_id,
    max(mail_of(Email)) as customer_key,
    timezone('UTC', max(strptime(text_of("Created at"), '%Y-%m-%d %H:%M:%S %z'))) as invoiced_at,
    max(text_of(Currency)) as currency,
    coalesce(max(amount_of(text_of("Discount Amount"))), 0) as discount_amount,
    sum(list_amount) as list_amount

from order_lines

group by Name

having max(text_of("Financial Status")) != 'voided';

copy (

    select
        'shop' as source_system,
        invoice_id,
        invoiced_at,
        customer_key,
        'web' as sales_channel,
        currency

    from orders

    order by invoice_id

) to '$raw/invoices/invoices/$name.parquet' (format parquet);

-- The discount of an order is shared among its lines as their amounts are.
copy (

    select
        'shop' as source_system,
        orders.invoice_id,
        row_number() over (partition by orders.invoice_id order by lines.file_row) as line_no,
        lines."Lineitem sku" as product_key,
        cast(lines."Lineitem quantity" as double) as quantity,
        cast(lines.list_amount - orders.discount_amount * lines.list_amount / orders.list_amount as decimal(18, 4)) as net_amount,
        cast(orders.discount_amount * lines.list_amount / orders.list_amount as decimal(18, 4)) as discount_amount

    from order_lines as lines
    inner join orders on lines.Name = orders.invoice_id

    order by orders.invoice_id, line_no

) to '$raw/invoices/lines/$name.parquet' (format parquet);

copy (

    select
        'shop' as source_system,
        "Lineitem sku" as product_key,
        max("Lineitem name") as product_name,
        max("Lineitem type") as category

    from order_lines

    group by product_key

    order by product_key

) to '$raw/invoices/products/$name.parquet' (format parquet);

create temp table contacts as

select
    *,
    utc_of(strptime("Create Date", '%d.%m.%Y %H:%M')) as created_at

from read_csv('$source/contacts.csv', all_varchar = true, header = true);

create temp table newsletters as

select
    "Campaign Title" as campaign_id,
    mail_of("Email Address") as customer_key,
    utc_of(strptime("Send Date", '%b %d, %Y %I:%M %p')) as sent_at,
    utc_of(cast(text_of("Last Open") as timestamp)) as opened_at,
    utc_of(cast(text_of("Last Click") as timestamp)) as clicked_at,
    Unsubscribed = 'yes' as is_unsubscribed

from read_csv('$source/newsletters.csv', all_varchar = true, header = true);

-- The shop and the newsletter know customers by e-mail. A record with it here joins them to the contact who shows the same one.
copy (

    select
        'crm' as source_system,
        "Record ID" as customer_key,
        mail_of("Email") as email,
        text_of("Phone Number") as phone,
        text_of(concat_ws(' ', text_of("First Name"), text_of("Last Name"))) as full_name,
        -- 1900 is how this system writes that it does not know.
        nullif(strptime(text_of("Date of birth"), '%d.%m.%Y')::date, date '1900-01-01') as birth_date,
        map {'Germany': 'DE', 'Austria': 'AT', 'Switzerland': 'CH'}[text_of("Country/Region")] as country,
        text_of("Original Source") as acquisition_channel,
        created_at

    from contacts

    union all by name

    select 'shop' as source_system, customer_key, customer_key as email, min(invoiced_at) as created_at
    from orders
    where customer_key is not null
    group by customer_key

    union all by name

    select 'newsletter' as source_system, customer_key, customer_key as email, min(sent_at) as created_at
    from newsletters
    group by customer_key

    order by source_system, customer_key

) to '$raw/crm/customers/$name.parquet' (format parquet);

copy (

    select
        'crm' as source_system,
        "Record ID" as customer_key,
        'email' as channel,
        if("Marketing opt-in" = 'Yes', 'granted', 'withdrawn') as status,
        created_at as effective_at

    from contacts

    where text_of("Marketing opt-in") is not null

    order by customer_key

) to '$raw/crm/consents/$name.parquet' (format parquet);

copy (

    select
        'newsletter' as source_system,
        campaign_id,
        'newsletter' as action_id, -- of seeds/actions.csv
        min(sent_at) as starts_at

    from newsletters

    group by campaign_id

    order by campaign_id

) to '$raw/communications/campaigns/$name.parquet' (format parquet);

create temp table messages as

select
    *,
    campaign_id || '/' || customer_key as message_id

from newsletters;

copy (

    select
        'newsletter' as source_system,
        message_id,
        customer_key,
        sent_at,
        'email' as channel,
        campaign_id

    from messages

    order by sent_at, message_id

) to '$raw/communications/messages/$name.parquet' (format parquet);

-- Nobody who sends newsletters knows what they sold. Here the first order within a week of a click is the response.
copy (

    with events as (

        select message_id, 'opened' as event_type, opened_at as occurred_at from messages where opened_at is not null
        union all
        select message_id, 'clicked', clicked_at from messages where clicked_at is not null
        union all
        select message_id, 'unsubscribed', coalesce(opened_at, sent_at) from messages where is_unsubscribed
        union all
        select messages.message_id, 'converted', min(orders.invoiced_at)
        from messages
        inner join orders
            on messages.customer_key = orders.customer_key
            and orders.invoiced_at between messages.clicked_at and messages.clicked_at + interval 7 days
        group by messages.message_id

    )

    select
        'newsletter' as source_system,
        message_id,
        event_type,
        occurred_at

    from events

    order by occurred_at, message_id, event_type

) to '$raw/communications/events/$name.parquet' (format parquet);
