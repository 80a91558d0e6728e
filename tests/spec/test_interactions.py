"""The timeline of a customer, as a table: what is on it, and what is not."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from millpond import dbt, lake, pipeline

FILES = {
    "invoices/invoices": """source_system,invoice_id,invoiced_at,customer_key,invoice_type,sales_channel
shop,i1,2024-01-05,ann,invoice,web
shop,i2,2024-01-09,ann,credit_note,web
shop,i3,2024-01-10,ann,invoice,store
shop,i4,2024-01-06,,invoice,web
""",
    "invoices/lines": """source_system,invoice_id,line_no,product_key,quantity,net_amount
shop,i1,1,ale,1,5.00
shop,i1,2,bread,1,3.00
shop,i2,1,ale,-1,-5.00
shop,i4,1,ale,1,5.00
""",
    "communications/messages": """source_system,message_id,customer_key,sent_at,channel,direction,arm
shop,m1,ann,2024-01-07,email,outbound,treatment
shop,m2,ann,2024-01-07,email,outbound,control
shop,m3,ann,2024-01-08,email,inbound,treatment
shop,m4,ann,2024-03-01,email,outbound,treatment
""",
    "communications/events": """source_system,message_id,event_type,occurred_at,value_amount
shop,m1,delivered,2024-01-07 00:01:00,
shop,m1,opened,2024-01-07 09:00:00,
shop,m1,unsubscribed,2024-01-07 09:05:00,
shop,m2,converted,2024-01-08 10:00:00,8.00
""",
    "communications/visits": """source_system,visit_id,customer_key,visited_at,channel,product_key
shop,v1,ann,2024-01-04,web,ale
""",
    "crm/cases": """source_system,case_id,customer_key,opened_at,closed_at,channel,topic
shop,c1,ann,2024-01-11,2024-01-12,phone,delivery
shop,c2,ann,2024-01-13,9999-12-31,phone,delivery
""",
    "crm/assets": """source_system,asset_id,customer_key,acquired_at,product_key,released_at
shop,a1,ann,2024-01-02,tap,2024-01-14
shop,a2,ann,2024-01-02,tap,2024-06-01
""",
    "crm/consents": """source_system,customer_key,channel,status,effective_at,evidence
shop,ann,email,granted,2024-01-03,
shop,ann,post,withdrawn,2024-01-15,
shop,ann,sms,withdrawn,2024-01-16,unsubscribed
shop,ann,email,withdrawn,2024-01-07 09:05:00,list-unsubscribe
""",
}

TIMELINE = """
    happened         | kind              | id        | line | direction | channel | product | amount  | known
    2024-01-02       | asset_acquired    | a1        | None | inbound   | None    | tap     | None    | 2024-01-02
    2024-01-02       | asset_acquired    | a2        | None | inbound   | None    | tap     | None    | 2024-01-02
    2024-01-03       | consent_granted   | marketing | None | inbound   | email   | None    | None    | 2024-01-03
    2024-01-04       | visit             | v1        | None | inbound   | web     | ale     | None    | 2024-01-04
    2024-01-05       | invoice           | i1        | 1    | inbound   | web     | ale     | 5.0000  | 2024-01-05
    2024-01-05       | invoice           | i1        | 2    | inbound   | web     | bread   | 3.0000  | 2024-01-05
    2024-01-07       | message           | m1        | None | outbound  | email   | None    | None    | 2024-01-07
    2024-01-07 09:00 | opened            | m1        | None | inbound   | email   | None    | None    | 2024-01-07 09:00
    2024-01-07 09:05 | unsubscribed      | m1        | None | inbound   | email   | None    | None    | 2024-01-07 09:05
    2024-01-08       | message           | m3        | None | inbound   | email   | None    | None    | 2024-01-08
    2024-01-08 10:00 | converted         | m2        | None | inbound   | email   | None    | 8.0000  | 2024-01-08 10:00
    2024-01-09       | credit_note       | i2        | 1    | outbound  | web     | ale     | -5.0000 | 2024-01-09
    2024-01-10       | invoice           | i3        | None | inbound   | store   | None    | None    | 2024-01-10
    2024-01-11       | case              | c1        | None | inbound   | phone   | None    | None    | 2024-01-11
    2024-01-12       | case_closed       | c1        | None | outbound  | phone   | None    | None    | 2024-01-12
    2024-01-13       | case              | c2        | None | inbound   | phone   | None    | None    | 2024-01-13
    2024-01-14       | asset_released    | a1        | None | inbound   | None    | tap     | None    | 2024-01-14
    2024-01-15       | consent_withdrawn | marketing | None | inbound   | post    | None    | None    | 2024-01-15
    2024-01-16       | consent_withdrawn | marketing | None | inbound   | sms     | None    | None    | 2024-01-16
"""


def ask(query: str) -> list[Any]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home in which the timeline is built."""
    home = tmp_path_factory.mktemp("timeline")
    for table, content in FILES.items():
        (home / "raw" / table).mkdir(parents=True)
        (home / "raw" / table / "rows.csv").write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        with lake.writing():
            nodes = ("--select", "+interactions", "--indirect-selection", "cautious")
            dbt.build(*nodes, variables={"as_of_date": "2024-02-01"}, on_node=pipeline.nothing)
        yield


def test_a_timeline_holds_what_happened_and_nothing_else() -> None:
    found = ask("""
        select happened_at, kind, interaction_id, line_no, direction, channel, product_key, amount, known_at
        from marts.interactions order by happened_at, kind, interaction_id, line_no
    """)
    expected = [tuple(re.split(r"\s+\|\s+", line.strip())) for line in TIMELINE.strip().splitlines()[1:]]
    assert [tuple(str(cell).removesuffix(" 00:00:00").removesuffix(":00") for cell in row) for row in found] == expected


def scans(node: dict[str, Any]) -> list[dict[str, str]]:
    """What a plan reads: the details of each scan of a table."""
    own = [node["extra_info"]] if "SCAN" in node["name"] else []
    return own + [scan for child in node["children"] for scan in scans(child)]


def test_a_question_about_one_customer_asks_each_table_for_that_customer() -> None:
    (customer_id,) = ask("select distinct customer_id from marts.interactions")[0]
    query = f"explain (format json) select * from marts.interactions where customer_id = '{customer_id}'"
    found = scans(json.loads(ask(query)[0][1])[0])
    large = {
        "int_invoice_lines_versioned",
        "int_invoices_versioned",
        "int_messages_versioned",
        "int_message_events_versioned",
        "consents",
    }
    asked = {scan["Table"] for scan in found if customer_id in str(scan.get("Filters"))}
    # Visits, cases and assets know the customer by key alone.
    assert asked == large | {"customer_keys"}
    assert [scan for scan in found if scan["Table"] in asked and customer_id not in str(scan.get("Filters"))] == []
