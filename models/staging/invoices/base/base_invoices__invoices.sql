{{ base_rows('invoices', 'invoices') }}
