-- What the tills and the webshop report in one month.
set variable first_day = (select first_day from months where month = '$month');

set variable next_first_day = (select next_first_day from months where month = '$month');

create or replace temp table month_invoices as

select * from invoices

where known_day >= getvariable('first_day') and known_day < getvariable('next_first_day');

copy (

    with reported as (

        -- One in 500 is reported twice.
        select
            *,
            unnest(case when chance('invoice twice', n, booking) < 0.002 then [1, 2] else [1] end) as report

        from month_invoices

    )

    select
        system as source_system,
        id_of('invoice', n, booking) as invoice_id,
        moment(day, second) as invoiced_at,
        case when n >= 0 then key_of(system, n) end as customer_key,
        case when booking < 0 then 'credit_note' else 'invoice' end as invoice_type,
        case when booking < 0 then id_of('invoice', n, -booking) end as credited_invoice_id,
        case system when 'shop' then 'web' else 'store' end as sales_channel,
        case when system = 'till' then 'store ' || (1 + whole_below(40, 'store', n, 0)) end as store_key,
        currency_of(country) as currency,
        moment(known_day, second + 300) as known_at

    from reported

) to '$raw/invoices/invoices/synthetic-$month.parquet' (format parquet);

copy (

    with reported as (

        select
            *,
            false as is_correction,
            known_day as reported_day,
            -- One line in 500 is reported twice.
            unnest(list_concat(
                range(1, line_count + 1),
                case when chance('line twice', n, booking) < 0.008 then [1 + whole_below(line_count, 'line twice', n, booking)] else [] end
            )) as line_no

        from month_invoices

        union all

        -- The same line again with another amount
        select
            *,
            true,
            corrected_day,
            corrected_line

        from invoices

        where corrected_day >= getvariable('first_day') and corrected_day < getvariable('next_first_day')

    ),

    chosen as (

        select
            *,
            -- A credit note returns what its invoice sold.
            abs(booking) * 10 + line_no as line,
            -- Products of low number sell best; half of all lines come from the favourite category.
            cast(floor(83 * power(chance('product', n, line), 2)) as integer) * 12
            + case when chance('favourite', n, line) < 0.5 then favourite_category else whole_below(12, 'any category', n, line) end
                as product

        from reported

    ),

    priced as (

        select
            *,
            1 + whole_below(10, 'quantity', n, line) // 7 + whole_below(10, 'quantity', n, line) // 9 as quantity,
            case when chance('discount', n, line) < 0.25 then 0.05 * (1 + whole_below(6, 'discount', n, line)) else 0 end as discount,
            prices[product + 1] * quantity * rate_of(currency_of(country)) as list_amount

        from chosen
        cross join (select list(list_price(product) order by product) as prices from range(1000) as products(product))

    )

    select
        system as source_system,
        id_of('invoice', n, booking) as invoice_id,
        cast(line_no as bigint) as line_no,
        printf('P%04d', product) as product_key,
        cast(case when booking < 0 then -quantity else quantity end as double) as quantity,
        cast(
            round(
                list_amount * (1 - discount)
                * case when booking < 0 then -1 else 1 end
                * case when is_correction then 0.9 else 1 end,
                2
            ) as decimal(18, 4)
        ) as net_amount,
        cast(case when booking < 0 then 0 else round(list_amount * discount, 2) end as decimal(18, 4)) as discount_amount,
        moment(reported_day, second + 300) as known_at

    from priced

) to '$raw/invoices/lines/synthetic-$month.parquet' (format parquet);
