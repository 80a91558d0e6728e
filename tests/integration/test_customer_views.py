"""Views beyond purchases and messages: what happens or is known later changes nothing before, and is seen after."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_loop import ask, build_features

BEFORE, AFTER = date(2024, 3, 4), date(2024, 4, 1)
VIEWS = ("aida", "rfm", "lifecycle", "service", "returns", "texts", "occasions", "assets", "asset_readings")
NODES = [f"+customer_{view}" for view in VIEWS]
Rows = dict[str, list[tuple[Any, ...]]]

KNOWN = {
    "crm/customers": """source_system,customer_key,email,country,birth_date,created_at,known_at
crm,ann,ann@example.org,DE,1990-03-20,2023-01-02,
crm,ben,ben@example.org,FR,,2023-01-03,
""",
    "crm/occasions": """source_system,customer_key,occasion,occurs_on,known_at
crm,ann,anniversary,2001-05-20,
""",
    "crm/cases": """source_system,case_id,customer_key,opened_at,closed_at,topic,body,satisfaction,known_at
crm,c1,ann,2023-06-05,2023-06-06,advice,The service is great and friendly.,0.9,2023-06-06
crm,c2,ann,2024-03-01,,delivery,"The parcel is late, which is a bad experience.",,
""",
    "crm/assets": """source_system,asset_id,customer_key,acquired_at,contract_ends_on,released_at,known_at
crm,a1,ann,2023-02-01,2024-06-01,,
""",
    "crm/asset_readings": """source_system,asset_id,metric,measured_at,value,known_at
crm,a1,battery,2024-01-01,99,
crm,a1,battery,2024-02-01,98,
""",
    "invoices/invoices": """source_system,invoice_id,invoiced_at,customer_key,invoice_type,credited_invoice_id,known_at
crm,i1,2023-02-01,ann,invoice,,
crm,i2,2023-03-01,ann,invoice,,
crm,i3,2023-04-01,ann,invoice,,
""",
    "invoices/lines": """source_system,invoice_id,line_no,product_key,quantity,net_amount,known_at
crm,i1,1,p1,1,10.00,
crm,i2,1,p1,1,10.00,
crm,i3,1,p1,1,10.00,
""",
    "communications/messages": """source_system,message_id,customer_key,sent_at,direction,body,known_at
crm,m1,ben,2023-05-01,outbound,News.,
crm,m2,ann,2023-05-02,inbound,"Thanks, a wonderful shop.",
""",
    "communications/events": """source_system,message_id,event_type,occurred_at,known_at
crm,m1,opened,2023-05-02,
""",
    "communications/visits": """source_system,visit_id,customer_key,visited_at,known_at
crm,v1,ben,2023-05-03,
""",
}
# Events from BEFORE on, late rows of earlier events, new versions of known rows, and a record that is ann's too.
LATER = {
    "crm/customers": """source_system,customer_key,email,country,birth_date,created_at,known_at
crm,ben,ben@example.org,GB,,2023-01-03,2024-03-05
web,cid,ann@example.org,,,2024-03-06,
""",
    "crm/occasions": """source_system,customer_key,occasion,occurs_on,known_at
crm,ann,wedding day,2001-04-10,2024-03-04
""",
    "crm/cases": """source_system,case_id,customer_key,opened_at,closed_at,topic,body,satisfaction,known_at
crm,c2,ann,2024-03-01,2024-03-02,delivery,The parcel is late and this is terrible.,0.1,2024-03-04
crm,c3,ann,2024-02-20,2024-02-21,delivery,"The worst experience ever, the parcel never arrived.",0.2,2024-03-10
crm,c4,ann,2024-03-04,,delivery,,,
""",
    "crm/assets": """source_system,asset_id,customer_key,acquired_at,contract_ends_on,released_at,known_at
crm,a1,ann,2023-02-01,2024-04-05,,2024-03-04
crm,a2,ann,2024-02-15,2025-02-15,,2024-03-20
""",
    "crm/asset_readings": """source_system,asset_id,metric,measured_at,value,known_at
crm,a1,battery,2024-02-25,50,2024-03-04
crm,a1,battery,2024-02-01,10,2024-03-04
crm,a1,battery,2024-03-10,40,
""",
    "invoices/invoices": """source_system,invoice_id,invoiced_at,customer_key,invoice_type,credited_invoice_id,known_at
crm,i4,2024-03-01,ann,invoice,,2024-03-04
crm,i5,2024-03-04,ann,invoice,,
crm,i6,2024-03-10,ann,credit_note,i5,
""",
    "invoices/lines": """source_system,invoice_id,line_no,product_key,quantity,net_amount,known_at
crm,i4,1,p1,1,500.00,2024-03-04
crm,i5,1,p1,2,20.00,
crm,i6,1,p1,-1,-10.00,
""",
    "communications/messages": """source_system,message_id,customer_key,sent_at,direction,body,known_at
crm,m3,ann,2024-03-02,inbound,This is a horrible experience and I am very disappointed.,2024-03-04
""",
    "communications/events": """source_system,message_id,event_type,occurred_at,known_at
crm,m1,clicked,2023-05-02,2024-03-04
crm,m1,replied,2024-03-05,
""",
    "communications/visits": """source_system,visit_id,customer_key,visited_at,known_at
crm,v2,ben,2023-05-04,2024-03-04
""",
}

# What a later row of each kind changes: question, answer as of BEFORE, answer as of AFTER.
SEEN = [
    ("aida", "aida_stage", "ben", "interested", "desiring"),
    ("rfm", "rfm_monetary_score", "ann", 1, 4),
    ("lifecycle", "lifecycle_stage", "ann", "lapsed", "won_back"),
    ("service", "cases_opened_ever", "ann", 2, 4),
    ("service", "cases_open", "ann", 1, 1),
    ("service", "satisfaction_last", "ann", 0.9, 0.1),
    ("returns", "returned_amount_past_365_days", "ann", 0.0, 10.0),
    ("texts", "texts_past_90_days", "ann", 1, 3),
    ("texts", "negative_share_past_365_days", "ann", 1 / 3, 0.6),
    ("occasions", "next_occasion", "ann", "anniversary", "wedding day"),
    ("occasions", "next_public_holiday", "ben", "Easter Monday", "May Day"),
    ("assets", "assets_held", "ann", 1, 2),
    ("assets", "days_to_contract_end", "ann", 89, 4),
    ("asset_readings", "main_reading_newest", "ann", 98.0, 40.0),
]


def land(home: Path, files: dict[str, str], name: str) -> None:
    for table, content in files.items():
        (home / "raw" / table).mkdir(parents=True, exist_ok=True)
        (home / "raw" / table / f"{name}.csv").write_text(content)


def observed(until: date) -> Rows:
    query = "select * from features.customer_{} where observation_date <= '{}' order by all"
    return {view: ask(query.format(view, until)) for view in VIEWS}


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """A home built as of BEFORE, then given later rows and built as of AFTER; the rows that it had first."""
    home = tmp_path_factory.mktemp("views")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        land(home, KNOWN, "known")
        build_features(BEFORE, nodes=NODES)
        first = observed(BEFORE)
        land(home, LATER, "later")
        build_features(AFTER, nodes=NODES)
        yield first


def test_what_is_known_later_changes_nothing_before(before_and_after: Rows) -> None:
    assert all(max(row[-1] for row in rows) == BEFORE for rows in before_and_after.values())
    assert observed(BEFORE) == before_and_after


@pytest.mark.parametrize(("view", "feature", "customer", "before", "after"), SEEN)
@pytest.mark.usefixtures("before_and_after")
def test_what_is_known_later_is_seen_after(view: str, feature: str, customer: str, before: Any, after: Any) -> None:
    query = f"""
        select {feature}
        from features.customer_{view}
        inner join intermediate.int_customer_keys_united as keys on customer_id = keys.record_id
        where source_system = 'crm' and customer_key = '{customer}' and observation_date in ('{BEFORE}', '{AFTER}')
        order by observation_date
    """
    assert ask(query) == [(pytest.approx(before),), (pytest.approx(after),)]


@pytest.mark.slow
def test_history_in_steps_equals_a_full_rebuild(before_and_after: Rows) -> None:
    in_steps = observed(AFTER)
    build_features(AFTER, "--full-refresh", nodes=NODES)
    assert observed(AFTER) == in_steps
    assert in_steps != before_and_after
