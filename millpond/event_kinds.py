"""The kinds of events that can be recorded: where each lands, and what it changes online."""

from typing import NamedTuple

INVOICES, LINES = "invoices/invoices", "invoices/lines"
EVENTS, VISITS = "communications/events", "communications/visits"


class Kind(NamedTuple):
    """One kind of event: where it lands, and which view it refreshes.

    Attributes:
        table: raw table of the event.
        view, feature: the feature view and its one feature, the moment of the newest event.
        found: SQL of customer_id (null: unknown), event_at and known_at of the events that count, from `recorded`.
        event_type: what the rows of communications/events of this kind say.
    """

    table: str
    view: str
    feature: str
    found: str
    event_type: str | None = None


OF_MESSAGES = """
select messages.customer_id, recorded.occurred_at as event_at, recorded.known_at
from recorded
left join lake.marts.messages as messages using (source_system, message_id)
"""

OF_VISITS = """
select keys.customer_id, recorded.visited_at as event_at, recorded.known_at
from recorded
left join lake.marts.customer_keys as keys using (source_system, customer_key)
"""

# As in features.last_purchase: an invoice counts that nets to more than 0 or holds a line of unknown amount.
OF_PURCHASES = """
select keys.customer_id, recorded.invoiced_at as event_at, recorded.known_at
from recorded
left join lake.marts.customer_keys as keys using (source_system, customer_key)
where
    coalesce(recorded.invoice_type, 'invoice') = 'invoice'
    and (source_system, invoice_id) in (
        select (source_system, invoice_id) from lines
        group by source_system, invoice_id
        having sum(net_amount) > 0 or bool_or(net_amount is null and quantity > 0)
    )
"""

KINDS = {
    "purchase": Kind(INVOICES, "last_purchase", "last_purchase_at", OF_PURCHASES),
    "click": Kind(EVENTS, "last_click", "last_click_at", OF_MESSAGES, "clicked"),
    "visit": Kind(VISITS, "last_visit", "last_visit_at", OF_VISITS),
    "unsubscribe": Kind(EVENTS, "last_unsubscribe", "last_unsubscribe_at", OF_MESSAGES, "unsubscribed"),
}
