{{ staged_rows(ref('base_crm__asset_readings')) }}
