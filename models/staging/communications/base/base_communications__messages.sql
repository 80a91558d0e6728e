{{ base_rows('communications', 'messages') }}
