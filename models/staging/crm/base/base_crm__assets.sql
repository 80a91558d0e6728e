{{ base_rows('crm', 'assets') }}
