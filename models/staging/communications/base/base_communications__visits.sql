{{ base_rows('communications', 'visits') }}
