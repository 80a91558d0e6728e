{{ base_rows('communications', 'campaigns') }}
