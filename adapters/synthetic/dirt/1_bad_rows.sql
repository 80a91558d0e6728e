-- One row of every bad kind, in files of their own: each is to be rejected, and no good row with it.
copy (

    select *

    from (
        values
        ('crm', null, 'no.key@example.org', '2023-03-01', '{}'),
        ('crm', 'BAD-1', 'date@example.org', 'last Tuesday', '{}'),
        ('crm', 'BAD-2', 'json@example.org', '2023-03-01', '{broken'),
        ('crm', 'BAD-3', 'future@example.org', '2999-01-01', '{}')
    ) as rows(source_system, customer_key, email, created_at, attributes)

) to '$raw/crm/customers/synthetic-bad.csv' (format csv, header);

copy (

    select *

    from (
        values
        ('crm', 'BAD-4', 'post', 'maybe', '2023-03-01'),
        ('crm', 'BAD-4', 'pigeon', 'granted', '2023-03-01')
    ) as rows(source_system, customer_key, channel, status, effective_at)

) to '$raw/crm/consents/synthetic-bad.csv' (format csv, header);

copy (

    select *

    from (values ('shop', 'BAD-1', 'BAD-4', '2023-03-01', '1.5')) as rows(source_system, case_id, customer_key, opened_at, satisfaction)

) to '$raw/crm/cases/synthetic-bad.csv' (format csv, header);

copy (

    select *

    from (
        values
        ('shop', null, '2023-03-01', 'invoice', null),
        ('shop', 'BAD-1', '2023-02-30', 'invoice', null),
        ('shop', 'BAD-2', '2023-03-01', 'gift', null),
        ('shop', 'BAD-3', '2023-03-05', 'invoice', '2023-03-01')
    ) as rows(source_system, invoice_id, invoiced_at, invoice_type, known_at)

) to '$raw/invoices/invoices/synthetic-bad.csv' (format csv, header);

-- A line without its invoice, or without a product.
copy (

    select *

    from (
        values
        ('shop', 'BAD-0', '1', 'P0001', '1', '9.90'),
        ('shop', 'BAD-0', '2', null, '1', '9.90'),
        ('shop', 'BAD-0', '3', 'P0001', 'two', '9.90'),
        ('shop', 'BAD-0', '4', 'P0001', '1', '9,90 EUR')
    ) as rows(source_system, invoice_id, line_no, product_key, quantity, net_amount)

) to '$raw/invoices/lines/synthetic-bad.csv' (format csv, header);

copy (

    select *

    from (
        values
        ('mailer', 'BAD-1', 'BAD-4', '2023-03-01', 'treatment', '1.2'),
        ('mailer', 'BAD-2', 'BAD-4', '2023-03-01', 'placebo', '0.5'),
        ('mailer', 'BAD-3', null, '2023-03-01', 'treatment', '0.5')
    ) as rows(source_system, message_id, customer_key, sent_at, arm, logging_probability)

) to '$raw/communications/messages/synthetic-bad.csv' (format csv, header);

-- An event of a message that nobody sent, and one that is no event.
copy (

    select *

    from (
        values
        ('mailer', 'BAD-0', 'opened', '2023-03-01'),
        ('mailer', 'BAD-0', 'smelled', '2023-03-01')
    ) as rows(source_system, message_id, event_type, occurred_at)

) to '$raw/communications/events/synthetic-bad.csv' (format csv, header);

copy (

    select *

    from (values ('shop', 'BAD-1', 'BAD-4', '2023-03-01', 'dream')) as rows(source_system, visit_id, customer_key, visited_at, channel)

) to '$raw/communications/visits/synthetic-bad.csv' (format csv, header);
