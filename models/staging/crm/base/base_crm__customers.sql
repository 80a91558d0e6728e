{{ base_rows('crm', 'customers') }}
