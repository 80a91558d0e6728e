{{ staged_rows(ref('base_communications__campaigns')) }}
