{#- A line has no time of its own: it happens with its invoice. -#}
{%- set known_before_invoice = "case when parents.event_at > typed.known_at then 'invoiced_at is later than known_at: ' || parents.event_at end" -%}
{{ base_rows('invoices', 'lines', parent=ref('stg_invoices__invoices'), parent_key='invoice_id', reason=known_before_invoice) }}
