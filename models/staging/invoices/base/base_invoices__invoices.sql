{%- do begin_anew_without_rates() -%}
{{ base_rows('invoices', 'invoices', reason=missing_rate()) }}
