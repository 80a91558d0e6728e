-- Of two statements of one moment the more restrictive holds: "withdrawn" sorts after "granted".
{{ base_rows('crm', 'consents', greatest='status') }}
