{{ staged_rows(ref('base_crm__cases')) }}
