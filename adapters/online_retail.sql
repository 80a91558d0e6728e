-- Online Retail: a year of a British online gift retailer, many of whose customers are shops (UCI; Chen 2015).
-- $source is a folder of its CSV files, one a day, $raw the raw folder. Nothing is dropped: every line of the files is a line here,
-- but that a file which is there twice is read once.
-- An empty file is a day without sales, and one that repeats another whole is the same day twice.
set variable files = (
    select coalesce(list(filename order by filename), ['$source/**/*.csv'])
    from (
        select min(filename) as filename
        from read_blob('$source/**/*.csv')
        where size > 0
        group by md5(content)
    )
);

create temp table lines as

with found as (

    select
        *,
        row_number() over () as file_row

    from read_csv(getvariable('files'), all_varchar = true, header = true)

)

select
    InvoiceNo as invoice_id,
    StockCode as product_key,
    nullif(trim(Description), '') as description,
    cast(Quantity as double) as quantity,
    cast(InvoiceDate as timestamp) as invoiced_at,
    cast(UnitPrice as decimal(18, 4)) as unit_price,
    -- Customer numbers read like 17850.0; a quarter of the lines has none: guests.
    regexp_replace(nullif(trim(CustomerID), ''), '\.0$', '') as customer_key,
    Country as country,
    -- Equal lines of one invoice are two lines: the till scanned the same product twice.
    row_number() over (partition by InvoiceNo order by file_row) as line_no

from found;

-- Numbers that begin with C are cancellations. Those that begin with A write off bad debt: accounting, to no customer.
copy (

    select
        'online_retail' as source_system,
        invoice_id,
        min(invoiced_at) as invoiced_at,
        min(customer_key) as customer_key,
        case
            when invoice_id like 'C%' or sum(quantity * unit_price) < 0 then 'credit_note'
            else 'invoice'
        end as invoice_type,
        'web' as sales_channel,
        'GBP' as currency

    from lines

    group by invoice_id

    order by invoiced_at, invoice_id

) to '$raw/invoices/invoices/online_retail.parquet' (format parquet);

-- A price of 0 is what was paid: samples, gifts and stock that was written off.
copy (

    select
        'online_retail' as source_system,
        invoice_id,
        line_no,
        product_key,
        quantity,
        cast(quantity * unit_price as decimal(18, 4)) as net_amount

    from lines

    order by invoice_id, line_no

) to '$raw/invoices/lines/online_retail.parquet' (format parquet);

-- A product's name is the description it has most often. Codes without five digits in front are postage, fees, discounts
-- and corrections by hand, but for gift vouchers and a few lines of goods (DCGS…, PADS).
copy (

    with names as (

        select
            product_key,
            description,
            row_number() over (partition by product_key order by count(*) desc, description) as frequency_rank

        from lines

        group by product_key, description

    )

    select
        'online_retail' as source_system,
        product_key,
        description as product_name,
        case
            when regexp_matches(product_key, '^([0-9]{5}|DCGS|gift_|PADS)') then 'goods'
            else 'fees and corrections'
        end as category

    from names

    where frequency_rank = 1

    order by product_key

) to '$raw/invoices/products/online_retail.parquet' (format parquet);

-- The country stands on the invoice, so it was known from then on; eight customers have moved.
copy (

    with countries as (

        select
            customer_key,
            country,
            min(invoiced_at) as known_at

        from lines

        where customer_key is not null

        group by customer_key, country

    ),

    codes(country, code) as (

        values
        ('United Kingdom', 'GB'), ('Germany', 'DE'), ('France', 'FR'), ('EIRE', 'IE'), ('Spain', 'ES'), ('Netherlands', 'NL'),
        ('Belgium', 'BE'), ('Switzerland', 'CH'), ('Portugal', 'PT'), ('Australia', 'AU'), ('Norway', 'NO'), ('Italy', 'IT'),
        ('Finland', 'FI'), ('Cyprus', 'CY'), ('Sweden', 'SE'), ('Austria', 'AT'), ('Denmark', 'DK'), ('Japan', 'JP'),
        ('Poland', 'PL'), ('Israel', 'IL'), ('USA', 'US'), ('Hong Kong', 'HK'), ('Singapore', 'SG'), ('Iceland', 'IS'),
        ('Canada', 'CA'), ('Greece', 'GR'), ('Malta', 'MT'), ('United Arab Emirates', 'AE'), ('RSA', 'ZA'),
        ('Lebanon', 'LB'), ('Lithuania', 'LT'), ('Brazil', 'BR'), ('Czech Republic', 'CZ'), ('Bahrain', 'BH'),
        ('Saudi Arabia', 'SA')

    )

    select
        'online_retail' as source_system,
        countries.customer_key,
        -- Unspecified, European Community and Channel Islands have no code.
        codes.code as country,
        min(countries.known_at) over (partition by countries.customer_key) as created_at,
        countries.known_at

    from countries
    left join codes using (country)

    order by countries.customer_key, countries.known_at

) to '$raw/crm/customers/online_retail.parquet' (format parquet);
