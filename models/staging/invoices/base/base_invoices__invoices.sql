{{ base_rows('invoices', 'invoices', reason=missing_rate()) }}
