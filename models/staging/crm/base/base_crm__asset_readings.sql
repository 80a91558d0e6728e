{{ base_rows('crm', 'asset_readings', parent=ref('stg_crm__assets'), parent_key='asset_id') }}
