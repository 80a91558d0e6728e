{{ base_rows('invoices', 'lines', parent=ref('stg_invoices__invoices'), parent_key='invoice_id') }}
