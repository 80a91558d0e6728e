-- CDNOW: all purchases of the 23,570 customers who first bought in early 1997, until June 1998, from the package lifetimes.
-- $source is the file CDNOW_master.txt (customer, date, number of CDs, dollars; blanks between), $raw the raw folder.
create temp table purchases as

with fields as (

    select regexp_split_to_array(trim(line), '\s+') as field

    from read_csv('$source', columns = {'line': 'varchar'}, delim = '\x01', header = false, skip = 1, quote = '')

)

select
    field[1] as customer_key,
    strptime(field[2], '%Y%m%d') as invoiced_at,
    cast(field[3] as double) as quantity,
    -- Every row of the file is a purchase; 0.00 is one whose amount it does not know, such as a promotion.
    nullif(cast(field[4] as decimal(18, 4)), 0) as net_amount,
    -- The file knows no invoice number: the n-th purchase of a customer on a day is one.
    field[1] || '-' || field[2] || '-' || row_number() over (partition by field[1], field[2]) as invoice_id

from fields;

copy (

    select
        'cdnow' as source_system,
        invoice_id,
        invoiced_at,
        customer_key,
        'web' as sales_channel,
        'USD' as currency

    from purchases

    order by invoiced_at, invoice_id

) to '$raw/invoices/invoices/cdnow.parquet' (format parquet);

copy (

    select
        'cdnow' as source_system,
        invoice_id,
        cast(1 as bigint) as line_no,
        'cd' as product_key,
        quantity,
        net_amount

    from purchases

    order by invoice_id

) to '$raw/invoices/lines/cdnow.parquet' (format parquet);

copy (

    select
        'cdnow' as source_system,
        'cd' as product_key,
        'Compact disc' as product_name,
        'Music' as category

) to '$raw/invoices/products/cdnow.parquet' (format parquet);
