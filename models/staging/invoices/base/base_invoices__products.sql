{{ base_rows('invoices', 'products') }}
