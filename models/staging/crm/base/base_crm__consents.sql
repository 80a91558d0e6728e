{{ base_rows('crm', 'consents') }}
