{{ base_rows('communications', 'events', parent=ref('stg_communications__messages'), parent_key='message_id') }}
