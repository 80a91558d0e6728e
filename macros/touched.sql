{#-
    Conditions on the rows that a build has to compute again, because something that they follow from has changed since this model was
    built last. Each serves both the deletion before the model and the model itself. A model that is built anew computes all.
-#}


{#-
    Condition: columns are among the keys that a query gives, which are gathered once for all models that ask the same, in the database in
    memory. Where there are none it is false, and the engine reads nothing. A few are written out by their last column: the engine pushes a
    list into every scan, through joins, unions and aggregates at which a query stops, but takes longer to plan it than it saves if it is long.
-#}
{% macro among(columns, keys) -%}
    {%- set gathered = gathered_once('touched', keys) -%}
    {%- set count, list = run_query(
        "select count(*), case when count(*) <= 1000 then string_agg(distinct '''' || replace(" ~ columns[-1] ~ ", '''', '''''') || '''', ', ') end"
        ~ ' from ' ~ gathered
    ).rows[0].values() -%}
    {%- if not count -%}false
    {%- else -%}
    {{ columns[-1] ~ ' in (' ~ list ~ ')' if list }}
    {%- if not list or columns | length > 1 %}
        {{ 'and ' if list }}({{ columns | join(', ') }}) in (select {{ columns | join(', ') }} from {{ gathered }})
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#- The name of a table in the database in memory that holds what a query gives: made by the first who asks. -#}
{% macro gathered_once(kind, query) %}
    {% set name = 'memory.main.' ~ kind ~ '_' ~ local_md5(invocation_id ~ query) %}
    {% do run_query('create table if not exists ' ~ name ~ ' as (' ~ query ~ ')') %}
    {{ return(name) }}
{% endmacro %}


{#-
    Lines of invoices that changed, whose lines changed, that credit one of which either changed, or whose customer key went to another customer.
    All of them when the exchange rates are no longer what they were.
-#}
{% macro touched_invoices() -%}
    {#- Named outside the condition, so that dbt sees the edges while it parses. -#}
    {%- for name in (['stg_invoices__lines', 'stg_invoices__exchange_rates'] if model.resource_type != 'unit_test' else []) -%}
        {%- do ref(name) -%}
    {%- endfor -%}
    {%- set built_at = last_built_at() -%}
    {%- if not built_at or has_other_mark('_rates', content_mark('stg_invoices__exchange_rates', lake_currency())) -%}true{%- else -%}
    {%- set keys %}
        select source_system, invoice_id from {{ ref('stg_invoices__lines') }} where _built_at > {{ built_at }}
        union
        select source_system, invoice_id from {{ ref('stg_invoices__invoices') }} where _built_at > {{ built_at }}
        {%- for credited in ['stg_invoices__invoices', 'stg_invoices__lines'] %}
        union
        select credit_notes.source_system, credit_notes.invoice_id
        from {{ ref('stg_invoices__invoices') }} as credit_notes
        inner join {{ ref(credited) }} as credited
            on credit_notes.source_system = credited.source_system and credit_notes.credited_invoice_id = credited.invoice_id
        where credited._built_at > {{ built_at }}
        {%- endfor %}
        union
        select invoices.source_system, invoices.invoice_id
        from {{ ref('stg_invoices__invoices') }} as invoices
        inner join {{ ref('int_customer_keys_versioned') }} as keys
            on invoices.source_system = keys.source_system and invoices.customer_key = keys.customer_key
        where keys._built_at > {{ built_at }}
    {%- endset -%}
    {{ among(['source_system', 'invoice_id'], keys) }}
    {%- endif -%}
{%- endmacro %}


{#- Customers with a line that changed, and those that won or lost a record. -#}
{% macro touched_customers() -%}
    {{ touched_people(by_customer={'int_invoice_lines_versioned': 'true'}, by_replaced_key=['base_invoices__invoices']) }}
{%- endmacro %}


{#-
    Customers with an interaction that changed, or with one that an earlier build took for past and this one does not. All of them when the
    rules of stages changed.
-#}
{% macro touched_by_interactions() -%}
    {%- set as_of_date = ref('int_as_of_date') if model.resource_type != 'unit_test' -%}
    {{ touched_people(
        by_customer={'int_invoice_lines_versioned': 'true', 'int_message_events_versioned': 'true', 'int_messages_versioned': 'not is_planned'},
        by_key=['base_communications__visits', 'base_crm__cases'],
        by_replaced_key=['base_invoices__invoices', 'base_communications__messages'],
        by_own_row='entered_on >= (select as_of_date from ' ~ as_of_date ~ ')',
        mark=content_mark('aida_stages', var('praise_satisfaction')),
    ) }}
{%- endmacro %}


{#- Customers with a consent, an address or a message that changed. -#}
{% macro touched_by_reachability() -%}
    {{ touched_people(
        by_customer={'int_message_events_versioned': 'true'},
        by_key=['base_crm__consents', 'base_crm__customers'],
        by_replaced_key=['base_communications__messages'],
        mark=reachability_mark(),
    ) }}
{%- endmacro %}


{% macro reachability_mark() -%}
    consent {{ var('require_consent') }}, undated {{ var('use_undated_attributes') }}
{%- endmacro %}


{#- These, and customers who bought a product that changed. -#}
{% macro touched_buyers() -%}
    {{ touched_people(
        by_customer={'int_invoice_lines_versioned': 'true'},
        by_replaced_key=['base_invoices__invoices'],
        by_product=['stg_invoices__products'],
    ) }}
{%- endmacro %}


{#-
    Customers of whom a row changed: by_customer names models whose rows say whose they are, with the condition on which a row counts;
    by_key raw rows (base_…) that say it by a key; by_replaced_key such of which only those count that a later one replaced: where both are
    of one moment, nothing later tells whose the row was; by_product models of products, whose buyers count; by_own_row a condition on rows
    of this model. And customers that won or lost a record. All of them when the mark is no longer that of the rows.
-#}
{% macro touched_people(by_customer={}, by_key=[], by_replaced_key=[], by_product=[], by_own_row=none, mark=none) -%}
    {%- set relations = {} -%}
    {%- set names = ['int_customer_keys_versioned', 'int_invoice_lines_versioned'][:2 if by_product else 1] + by_customer.keys() | list -%}
    {#- Named outside the condition, so that dbt sees the edges while it parses. -#}
    {%- for name in (names + by_key + by_replaced_key + by_product if model.resource_type != 'unit_test' else []) -%}
        {%- do relations.update({name: ref(name)}) -%}
    {%- endfor -%}
    {%- set built_at = last_built_at() -%}
    {%- if not built_at or (mark is not none and has_other_mark('_mark', mark)) -%}true{%- else -%}
    {%- set keys = relations['int_customer_keys_versioned'] -%}
    {%- set people %}
        select customer_id from {{ keys }} where _built_at > {{ built_at }}
        union
        select record_id from {{ keys }} where _built_at > {{ built_at }}
        {%- for name, condition in by_customer.items() %}
        union
        select customer_id from {{ relations[name] }} where _built_at > {{ built_at }} and {{ condition }}
        {%- endfor %}
        {%- for name in by_key + by_replaced_key %}
        union
        select keys.customer_id
        from {{ relations[name] }} as changed
        inner join {{ keys }} as keys
            on changed.source_system = keys.source_system and changed.customer_key = keys.customer_key
        where changed._built_at > {{ built_at }} {{ 'and changed.superseded_at is not null' if name in by_replaced_key }}
        {%- endfor %}
        {%- for name in by_product %}
        union
        select lines.customer_id
        from {{ relations['int_invoice_lines_versioned'] }} as lines
        inner join {{ relations[name] }} as products
            on lines.source_system = products.source_system and lines.product_key = products.product_key
        where products._built_at > {{ built_at }}
        {%- endfor %}
        {%- if by_own_row %}
        union
        select customer_id from {{ this }} where {{ by_own_row }}
        {%- endif %}
    {%- endset -%}
    {{ among(['customer_id'], people) }}
    {%- endif -%}
{%- endmacro %}


{#-
    Messages that changed, whose campaign changed, or whose customer key went to another customer; and those that were planned or are
    planned now. All of them when the catalogue of actions is no longer what it was.
-#}
{% macro touched_messages() -%}
    {%- set built_at = last_built_at() -%}
    {%- if not built_at or has_other_mark('_actions', content_mark('actions', var('response_window_days'))) -%}true{%- else -%}
    {#- A moment and not a query: when the model runs, the rows that were planned have been forgotten. -#}
    {%- set first_planned = run_query('select min(sent_at) from ' ~ this ~ ' where is_planned').columns[0][0] %}
    {%- set keys %}
        select source_system, message_id from {{ ref('stg_communications__messages') }}
        where
            _built_at > {{ built_at }}
            or sent_at >= (select as_of_date from {{ ref('int_as_of_date') }})
            {{ "or sent_at >= timestamp '" ~ first_planned ~ "'" if first_planned is not none }}
        union
        select messages.source_system, messages.message_id
        from {{ ref('stg_communications__messages') }} as messages
        inner join {{ ref('stg_communications__campaigns') }} as campaigns
            on messages.source_system = campaigns.source_system and messages.campaign_id = campaigns.campaign_id
        where campaigns._built_at > {{ built_at }}
        union
        select messages.source_system, messages.message_id
        from {{ ref('stg_communications__messages') }} as messages
        inner join {{ ref('int_customer_keys_versioned') }} as keys
            on messages.source_system = keys.source_system and messages.customer_key = keys.customer_key
        where keys._built_at > {{ built_at }}
    {%- endset -%}
    {{ among(['source_system', 'message_id'], keys) }}
    {%- endif -%}
{%- endmacro %}


{#- Tells one content of a small table, and of what is read with it, from another. -#}
{% macro content_mark(table, with) -%}
    {%- if execute and model.resource_type != 'unit_test' and flags.WHICH in ('build', 'run') -%}
        {{ run_query("select md5('" ~ with ~ "' || coalesce(string_agg(cast(content as varchar), '' order by cast(content as varchar)), '')) from " ~ ref(table) ~ ' as content').columns[0][0] }}
    {%- endif -%}
{%- endmacro %}


{#- Whether rows of this model were made from another content of such a table. -#}
{% macro has_other_mark(column, mark) %}
    {{ return(run_query('select 1 from ' ~ this ~ ' where ' ~ column ~ " != '" ~ mark ~ "' limit 1").rows | length > 0) }}
{% endmacro %}


{#- Events that changed or whose message did. -#}
{% macro touched_message_events() -%}
    {%- set built_at = last_built_at() -%}
    {%- if not built_at -%}true{%- else -%}
    {%- set keys %}
        select source_system, message_id from {{ ref('stg_communications__events') }} where _built_at > {{ built_at }}
        union
        select source_system, message_id from {{ ref('int_messages_versioned') }} where _built_at > {{ built_at }}
    {%- endset -%}
    {{ among(['source_system', 'message_id'], keys) }}
    {%- endif -%}
{%- endmacro %}


{#-
    For tests of their own (docs/adr/0024): the condition that columns are among the keys that a query finds in the rows of an incremental
    table which this build wrote. `dbt test` and a full refresh look at all rows.
-#}
{% macro written_now(columns, table, keys=none) -%}
    {%- if not execute or flags.WHICH != 'build' or flags.FULL_REFRESH or target.name == 'lint' -%}true{%- else -%}
    {{ among(columns, 'select distinct ' ~ (keys or columns) | join(', ') ~ ' from ' ~ table ~ ' where _built_at = ' ~ this_build()) }}
    {%- endif -%}
{%- endmacro %}


{#- For tests of their own: the rows of a model that its test of grain looks at. -#}
{% macro rows_under_test(relation) -%}
    {%- set node = graph.nodes.values() | selectattr('alias', 'equalto', relation.identifier) | first if execute -%}
    {{ tested_rows(relation, node, node.config.meta.grain) if execute else relation }}
{%- endmacro %}
