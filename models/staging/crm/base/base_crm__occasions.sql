{{ base_rows('crm', 'occasions') }}
