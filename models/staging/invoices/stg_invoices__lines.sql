{{ staged_rows(ref('base_invoices__lines')) }}
