{{ staged_rows(ref('base_invoices__products')) }}
