{{ base_rows('crm', 'cases') }}
