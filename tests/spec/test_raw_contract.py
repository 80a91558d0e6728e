"""The raw contract as tables: what goes in, what becomes of it and why (docs/raw_contract.md)."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from millpond import checking, dbt, errors, lake, pipeline, settings

FILES = {
    "crm/customers/crm.csv": """
        source_system | customer_key | email       | created_at           | known_at             | is_deleted
        crm           | 1            | ann@x.org   | 2024-01-05           |                      |
        crm           | 1            | ann@y.org   | 2024-01-05           | 2024-02-01T00:00:00Z |
        crm           | 2            | undated@x.y |                      |                      |
        crm           |              | lost@x.org  | 2024-01-05           |                      |
        crm           | 3            | bob@x.org   | 2024-01-05           |                      | perhaps
    """,
    "crm/customers/birthdays.csv": """
        source_system | customer_key | created_at | birth_date
        crm           | 4            | 2024-01-05 | 0001-01-01
        crm           | 5            | 2024-01-05 | 9999-12-31
    """,
    "crm/assets/crm.csv": """
        source_system | asset_id | customer_key | acquired_at | contract_ends_on | released_at
        crm           | a1       | 1            | 2024-01-05  | 9999-12-31       | 9999-12-31
        crm           | a2       | 1            | 0001-01-01  |                  |
    """,
    "crm/occasions/crm.csv": """
        source_system | customer_key | occasion | occurs_on
        crm           | 1            | birthday | 9999-12-31
    """,
    "crm/consents/crm.csv": """
        source_system | customer_key | channel | status  | effective_at
        crm           | 1            | email   | granted | 2024-01-05
        crm           | 1            | pigeon  | granted | 2024-01-05
        crm           | 1            |  EMAIL  | granted | 2024-01-05
    """,
    "crm/consents/moment.csv": """
        source_system | customer_key | channel | status    | effective_at
        crm           | 1            | sms     | withdrawn | 2024-01-05
        crm           | 1            | sms     | granted   | 2024-01-05
        crm           | 1            | sms     | withdrawn | 2024-01-05
        crm           | 1            | sms     | granted   | 2024-01-05
    """,
    "invoices/invoices/a.csv": """
        source_system | invoice_id | invoiced_at               | customer_key | known_at
        shop          | i1         | 2024-01-05 10:00:00       | 17850.0      |
        shop          | i2         | 2024-01-05T23:30:00-02:00 | c2           |
        shop          | i3         | 2024-13-05                | c3           |
        shop          | i4         | 2024-01-05                | c4           | 2024-01-04
        shop          | i5         | 2024-01-05                | c5           | 2999-01-01
        shop          | i6         | 2024-01-05                |              |
        shop          | i7         | 9999-12-31                |              |
        shop          | i8         | 0001-01-01                |              | 0001-01-01
        shop          | i1         | 2024-01-05 10:00:00       | 17850.0      |
    """,
    "invoices/invoices/b.csv": """
        source_system | invoice_id | invoiced_at | currency
        shop          | j1         | 2024-01-04  | USD
        shop          | j2         | 2024-01-06  | GBP
        shop          | j3         | 0001-01-01  | EUR
    """,
    "exchange_rates.csv": """
        RATED_ON   | currency | rate
        2024-01-01 | USD      | 1
        2024-01-06 |          | 1.2
        2024-01-01 | GBP      |
                   | GBP      | 1.2
        2024-01-05 | GBP      | 0
    """,
    "invoices/lines/a.csv": """
        source_system | invoice_id | line_no | product_key | quantity | net_amount | discount_amount | known_at
        shop          | i1         | 1       | p1          | 2        | 9.90       | 0               |
        shop          | i1         | 2       | p1          | two; or: | 9.90       |                 |
        shop          | i1         | 3       | p1          | 2        | 9,90       |                 |
        shop          | i1         | 4       | p1          | 2        | 9.90       | -1              |
        shop          | i3         | 1       | p1          | 2        | 9.90       |                 |
        shop          | i9         | 1       |             | 2        | x          |                 |
        shop          | i1         | 1.5     | p1          | nan      | 9.90       |                 |
        shop          | i1         | 5       | p1          | 2        | 9.90       |                 | 2024-01-05 09:59
        shop          | i1         | 6       | p1          | 2        | 9.90       |                 | 2024-01-05 10:00
    """,
    "communications/messages/a.csv": """
        source_system | message_id | customer_key | sent_at    | channel | logging_probability | attributes | known_at
        mailer        | m1         | c1           | 2024-01-05 | Email   | 0.5                 | {"n": 1}   |
        mailer        | m2         | c1           | 2024-01-05 |         | 1.5                 |            |
        mailer        | m3         | c1           | 2024-01-05 |         |                     | slot 1     |
        mailer        | m4         | c1           | 2199-01-05 |         |                     |            | 2024-01-04
        mailer        | m5         | c1           | 2024-01-05 |         |                     | [1, 2]     |
        mailer        | m6         | c1           | 9999-12-31 |         |                     |            |
    """,
    "communications/campaigns/a.csv": """
        source_system | campaign_id | product_keys
        mailer        | c1          | ["p1"]
        mailer        | c2          | p1
    """,
    "communications/events/a.csv": """
        source_system | message_id | event_type | occurred_at
        mailer        | m1         | opened     | 2024-01-06
        mailer        | m1         | smelled    | 2024-01-06
        mailer        | m2         | opened     | 2024-01-06
    """,
}

VISITS = b"""source_system,visit_id,customer_key,visited_at
web,v1,c1,2024-01-05
web,v2,c1
web,v3,c1,2024-01-05,"Bread"
web,v4,"c1,2024-01-05
web,v5,caf\xe9,2024-01-05
web,v6,c1,2024-01-05
"""

QUARANTINE = """
    raw_table               | row | reject_reasons
    crm/customers           | 4   | customer_key is missing
    crm/customers           | 5   | is_deleted is not a boolean: perhaps
    crm/customers           | 1   | birth_date is outside its range: 0001-01-01
    crm/customers           | 2   | birth_date is outside its range: 9999-12-31
    crm/assets              | 2   | acquired_at is before 1900: 0001-01-01 00:00:00
    crm/occasions           | 1   | occurs_on is outside its range: 9999-12-31
    crm/consents            | 2   | channel is none of email, sms, phone, post, push, app, any: pigeon
    invoices/invoices       | 3   | invoiced_at is not a ts: 2024-13-05
    invoices/invoices       | 4   | invoiced_at is later than known_at: 2024-01-05 00:00:00
    invoices/invoices       | 5   | known_at is later than the clock: 2999-01-01 00:00:00
    invoices/invoices       | 7   | invoiced_at is later than the clock: 9999-12-31 00:00:00
    invoices/invoices       | 8   | known_at is before 1900: 0001-01-01 00:00:00; invoiced_at is before 1900: 0001-01-01 00:00:00
    invoices/invoices       | 2   | no exchange rate into USD: GBP on 2024-01-06
    invoices/invoices       | 3   | no exchange rate into USD: EUR on 0001-01-01; invoiced_at is before 1900: 0001-01-01 00:00:00
    invoices/lines          | 2   | quantity is not a double: two;or:
    invoices/lines          | 3   | net_amount is not a money: 9,90
    invoices/lines          | 4   | discount_amount is outside its range: -1
    invoices/lines          | 5   | invoice_id refers to nothing: i3
    invoices/lines          | 6   | product_key is missing; net_amount is not a money: x; invoice_id refers to nothing: i9
    invoices/lines          | 7   | line_no is not a bigint: 1.5; quantity is not a double: nan
    invoices/lines          | 8   | invoiced_at is later than known_at: 2024-01-05 10:00:00
    communications/messages | 5   | attributes is not a json object: [1, 2]
    communications/messages | 2   | logging_probability is outside its range: 1.5
    communications/messages | 3   | attributes is not a json object: slot 1
    communications/messages | 6   | sent_at is after 2199: 9999-12-31 00:00:00
    communications/campaigns | 2  | product_keys is not a json array: p1
    communications/visits   | 2   | malformed CSV row: 3 fields instead of 4
    communications/visits   | 3   | malformed CSV row: 5 fields instead of 4
    communications/visits   | 4   | malformed CSV row: a quote that is not closed, or text beside quotes
    communications/visits   | 5   | malformed CSV row: bytes that are not UTF-8
    communications/events   | 2   | event_type is none of delivered, opened, clicked, replied, converted, redeemed, unsubscribed, bounced, complained: smelled
    communications/events   | 3   | message_id refers to nothing: m2
"""  # noqa: E501

AUDIT = """
    raw_table               | rows_read | accepted | superseded | duplicates | rejected
    crm/customers           | 5         | 2        | 1          | 0          | 2
    crm/customers           | 2         | 0        | 0          | 0          | 2
    crm/assets              | 2         | 1        | 0          | 0          | 1
    crm/occasions           | 1         | 0        | 0          | 0          | 1
    crm/consents            | 3         | 1        | 0          | 1          | 1
    crm/consents            | 4         | 1        | 1          | 2          | 0
    invoices/invoices       | 9         | 3        | 0          | 1          | 5
    invoices/invoices       | 3         | 1        | 0          | 0          | 2
    invoices/lines          | 9         | 2        | 0          | 0          | 7
    communications/campaigns | 2        | 1        | 0          | 0          | 1
    communications/visits   | 6         | 2        | 0          | 0          | 4
    communications/messages | 6         | 2        | 0          | 0          | 4
    communications/events   | 3         | 1        | 0          | 0          | 2
"""

STAGED_INVOICES = """
    invoice_id | invoiced_at         | customer_key | known_at            | currency
    i1         | 2024-01-05 10:00:00 | 17850.0      | 2024-01-05 10:00:00 | USD
    i2         | 2024-01-06 01:30:00 | c2           | 2024-01-06 01:30:00 | USD
    i6         | 2024-01-05 00:00:00 | None         | 2024-01-05 00:00:00 | USD
    j1         | 2024-01-04 00:00:00 | None         | 2024-01-04 00:00:00 | USD
"""

STAGED_CUSTOMERS = """
    customer_key | email       | known_at            | superseded_at
    1            | ann@x.org   | 2024-01-05 00:00:00 | 2024-02-01 00:00:00
    1            | ann@y.org   | 2024-02-01 00:00:00 | None
    2            | undated@x.y | None                | None
"""


def rows(table: str) -> list[tuple[str, ...]]:
    """The cells of a drawn table, without its head."""
    lines = [line for line in table.strip().splitlines() if line.strip()]
    return [tuple(cell.strip() for cell in re.split(r"\s\|\s", f" {line} ")) for line in lines[1:]]


def as_csv(table: str) -> str:
    lines = [line for line in table.strip().splitlines() if line.strip()]
    cells = [[cell.strip() for cell in re.split(r"\s\|", f" {line} ")] for line in lines]
    return "\n".join(
        ",".join('"' + c.replace('"', '""') + '"' if '"' in c or "," in c else c for c in row) for row in cells
    )


def land(home: Path) -> None:
    files = {name: as_csv(table).encode() for name, table in FILES.items()}
    for name, content in (files | {"communications/visits/a.csv": VISITS}).items():
        (home / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "raw" / name).write_bytes(content)


def kind(reason: str) -> str:
    """What a reason says of any column and any value: `x_at is not a ts: soon` becomes `… is not a …`."""
    if reason.startswith("malformed"):
        return re.sub(r"\d+", "…", reason)
    said = re.sub(r"^\w+", "…", reason.split(":")[0])
    return re.sub(r"(is not a|is none of) (?!json).*", r"\1 …", said)


def documented_reasons() -> list[str]:
    """The reasons that docs/raw_contract.md shows, each in the last column of its table of bad rows."""
    text = (settings.PROJECT / "docs" / "raw_contract.md").read_text()
    table = text.split("| what is wrong | reason |")[1].split("\n\n")[0]
    return re.findall(r"\| `([^`]+)` \|$", table, re.MULTILINE)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("contract")
    land(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        with lake.writing():
            select = ("--select", "+staging", "quarantine", "load_audit")
            dbt.build(*select, variables={"max_quarantine_share": 1}, on_node=pipeline.nothing)
        yield


def ask(query: str) -> list[tuple[str, ...]]:
    with lake.connect() as connection:
        return [tuple(str(cell) for cell in row) for row in connection.execute(query).fetchall()]


@pytest.mark.usefixtures("staged")
class TestContract:
    def test_every_bad_row_is_in_quarantine_with_every_reason(self) -> None:
        found = ask("select raw_table, raw_row_number, reject_reasons from marts.quarantine")
        assert sorted(found) == sorted(rows(QUARANTINE))

    def test_every_kind_of_bad_row_is_documented_once_as_it_is_reported(self) -> None:
        found = ask("select unnest(string_split(reject_reasons, '; ')) from marts.quarantine")
        documented = documented_reasons()
        assert set(documented) <= {reason for (reason,) in found}
        assert sorted(map(kind, documented)) == sorted({kind(reason) for (reason,) in found})

    def test_a_malformed_row_is_kept_as_it_came(self) -> None:
        query = "select raw_row ->> '_line' from marts.quarantine where raw_table = 'communications/visits' order by 1"
        *others, undecoded = [line for (line,) in ask(query)]
        assert others == ["web,v2,c1", 'web,v3,c1,2024-01-05,"Bread"', 'web,v4,"c1,2024-01-05']
        # The engine shows bytes that are no text as question marks.
        assert re.fullmatch(r"web,v5,caf\?.*2024-01-05", undecoded)

    def test_a_contract_without_end_is_no_bad_row(self) -> None:
        assert ask("select contract_ends_on from staging.stg_crm__assets") == [("9999-12-31",)]

    def test_quarantine_keeps_the_row_as_it_came(self) -> None:
        query = "select raw_row ->> 'quantity', raw_file from marts.quarantine where reject_reasons like 'quantity%'"
        assert ask(query) == [("two; or:", "invoices/lines/a.csv")]

    def test_counts_reconcile_per_file(self) -> None:
        query = "select raw_table, rows_read, accepted, superseded, duplicates, rejected from marts.load_audit"
        assert sorted(ask(query)) == sorted(rows(AUDIT))

    def test_a_channel_has_one_spelling(self) -> None:
        assert ask("select channel, status, purpose from staging.stg_crm__consents where channel ilike 'e%'") == [
            ("email", "granted", "marketing")
        ]
        assert ask("select message_id, channel from staging.stg_communications__messages order by 1") == [
            ("m1", "email"),
            ("m4", "unknown"),
        ]

    def test_of_statements_of_one_moment_the_withdrawal_holds_whichever_comes_first(self) -> None:
        assert ask("select status from staging.stg_crm__consents where channel = 'sms'") == [("withdrawn",)]

    def test_zones_are_converted_and_keys_keep_their_text(self) -> None:
        query = "select invoice_id, invoiced_at, customer_key, known_at, currency from staging.stg_invoices__invoices"
        assert sorted(ask(query)) == sorted(rows(STAGED_INVOICES))

    def test_versions_follow_each_other(self) -> None:
        query = "select customer_key, email, known_at, superseded_at from staging.stg_crm__customers"
        assert sorted(ask(query)) == sorted(rows(STAGED_CUSTOMERS))

    def test_absent_tables_are_typed_and_empty(self) -> None:
        described = dict(row[:2] for row in ask("describe staging.stg_crm__asset_readings"))
        assert described["measured_at"] == "TIMESTAMP"
        assert ask("select count(*) from staging.stg_crm__asset_readings") == [("0",)]

    def test_planned_message_may_lie_in_the_future(self) -> None:
        assert ("m4",) in ask("select message_id from staging.stg_communications__messages")


def test_check_says_what_a_build_would_do_and_builds_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path)
    # A team's lake, which nobody may write to in order to try: here there is none at that address.
    monkeypatch.setenv("MILLPOND_CATALOG", "postgres:host=127.0.0.1 port=1 dbname=none")
    monkeypatch.setenv("MILLPOND_DATA", str(tmp_path / "data"))
    (tmp_path / "raw/crm/customers/more.csv").write_text("source_system,customer_key,e_mail\n")
    said: list[str] = []
    found = checking.check_raw(tmp_path / "raw", on_node=pipeline.nothing, on_notice=said.append)
    assert said == ["crm/customers: columns that the raw contract does not know stay out of the lake: e_mail"]
    counts = [tuple(str(cell) for cell in row) for row in found.audit]
    expected = Counter[str]()
    for table, rows_read, *_ in rows(AUDIT):
        expected[table] += int(rows_read)
    assert {count[0]: int(count[1]) for count in counts} == expected
    assert (
        "crm/customers",
        "customer_key is missing",
        1,
        "crm/customers/crm.csv row 4: customer_key is missing",
    ) in found.reasons
    assert {reason: count for table, reason, count, _ in found.reasons if table == "invoices/lines"} == {
        "quantity is not a double": 2,
        "net_amount is not a money": 2,
        "invoice_id refers to nothing": 2,
        "discount_amount is outside its range": 1,
        "product_key is missing": 1,
        "line_no is not a bigint": 1,
        "invoiced_at is later than known_at": 1,
    }
    assert not home.exists()
    assert not (tmp_path / "data").exists()
    assert settings.is_shared()


def test_parquet_and_csv_are_read_together(home: Path) -> None:
    folder = home / "raw" / "invoices" / "products"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("product_key,source_system,category\np1,shop,Bread\n")
    duckdb.sql(f"copy (select 'shop' as source_system, 2 as product_key) to '{folder}/b.parquet' (format parquet)")
    with lake.writing():
        dbt.build("--select", "+stg_invoices__products", variables={}, on_node=pipeline.nothing)
    found = ask("select product_key, category from staging.stg_invoices__products order by 1")
    assert found == [("2", "None"), ("p1", "Bread")]


INVOICE_FILES = {
    "a.parquet": """
        select 'till' as source_system, 7 as invoice_id, timestamp '2024-01-05' as invoiced_at, 12345 as customer_key
    """,
    # A program that has no missing whole numbers writes the keys beside a guest as fractions.
    "b.parquet": """
        select
            customer_key, 'till' as source_system, 'b' || customer_key as invoice_id,
            case when customer_key is not null then timestamp '2024-01-06' end as invoiced_at, 'USD' as currency
        from (values (12345.0::double), (null)) as keys(customer_key)
    """,
    "c.parquet": """
        select 'till' as source_system, 'c' as invoice_id, 1704412800 as invoiced_at, '12345' as customer_key
    """,
    "d.csv": "Invoice_ID,source_system,INVOICED_AT,customer_key\nd,shop,soon,1\n",
    "e.csv": "source_system,invoice_id,invoiced_at,Sales_Channel\nshop,e,later,Web\n",
}


@pytest.mark.slow
def test_no_row_depends_on_which_files_are_read_with_its_own(home: Path) -> None:
    folder = home / "raw" / "invoices" / "invoices"
    folder.mkdir(parents=True)
    content = "select columns(c -> c != '_built_at') from staging.base_invoices__invoices order by all"

    def build(*arguments: str) -> list[tuple[str, ...]]:
        with lake.writing():
            nodes = ("--select", "+base_invoices__invoices", *arguments)
            dbt.build(*nodes, variables={"max_quarantine_share": 1}, on_node=pipeline.nothing)
        return ask(content)

    for name, rows in INVOICE_FILES.items():
        if name.endswith("csv"):
            (folder / name).write_text(rows)
        else:
            duckdb.sql(f"copy ({rows}) to '{folder / name}' (format parquet)")
        # The first on its own, the others with it or with each other.
        if name in (min(INVOICE_FILES), max(INVOICE_FILES)):
            one_after_another = build()
    assert build("--full-refresh") == one_after_another
    accepted = "select invoice_id, customer_key from staging.base_invoices__invoices where row_status = 'accepted'"
    assert sorted(ask(accepted)) == [("7", "12345"), ("b12345.0", "12345")]
    as_they_came = "select _raw_row from staging.base_invoices__invoices where row_status = 'rejected' order by _file"
    assert [json.loads(row) for (row,) in ask(as_they_came)] == [
        {"customer_key": None, "source_system": "till", "invoice_id": None, "invoiced_at": None, "currency": "USD"},
        {"source_system": "till", "invoice_id": "c", "invoiced_at": 1704412800, "customer_key": "12345"},
        {"Invoice_ID": "d", "source_system": "shop", "INVOICED_AT": "soon", "customer_key": "1"},
        {"source_system": "shop", "invoice_id": "e", "invoiced_at": "later", "Sales_Channel": "Web"},
    ]


def test_what_is_no_number_or_no_moment_is_rejected_where_the_file_has_the_type_too(home: Path) -> None:
    folder = home / "raw" / "communications" / "visits"
    folder.mkdir(parents=True)
    visits = """
        select
            'web' as source_system, 'v' || n as visit_id, 'c1' as customer_key, timestamp '2024-01-05' as visited_at,
            case when n = 1 then 'nan'::double when n < 4 then n end as duration_seconds,
            case when n = 2 then timestamp 'infinity' end as known_at
        from range(1, 5) as visits(n)
    """
    duckdb.sql(f"copy ({visits}) to '{folder}/a.parquet' (format parquet)")
    with lake.writing():
        nodes = ("--select", "base_communications__visits")
        dbt.build(*nodes, variables={"max_quarantine_share": 1}, on_node=pipeline.nothing)
    found = ask("select visit_id, reject_reasons, duration_seconds from staging.base_communications__visits")
    assert sorted(found) == [
        ("v1", "duration_seconds is not a double: nan", "None"),
        ("v2", "known_at is not a ts: infinity", "2.0"),
        ("v3", "", "3.0"),
        ("v4", "", "None"),
    ]


def test_a_zone_is_read_as_systems_write_it(home: Path) -> None:
    folder = home / "raw" / "communications" / "visits"
    folder.mkdir(parents=True)
    written = ["", "Z", "+01:00", "+0100", " +0100", " -0530", " CET", " Europe/Berlin"]
    visits = "".join(f"web,v{n},c1,2024-01-31 23:30:00{zone}\n" for n, zone in enumerate(written))
    (folder / "a.csv").write_text("source_system,visit_id,customer_key,visited_at\n" + visits)
    with lake.writing():
        dbt.build("--select", "base_communications__visits", variables={}, on_node=pipeline.nothing)
    found = dict(ask("select visit_id, cast(visited_at as varchar) from staging.base_communications__visits"))
    berlin, west = "2024-01-31 22:30:00", "2024-02-01 05:00:00"
    in_utc = ["2024-01-31 23:30:00"] * 2 + [berlin] * 3 + [west] + [berlin] * 2
    assert found == {f"v{n}": moment for n, moment in enumerate(in_utc)}


def test_required_column_that_only_the_other_format_has_is_missing(home: Path) -> None:
    folder = home / "raw" / "invoices" / "products"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("source_system,category\nshop,Bread\n")
    duckdb.sql(f"copy (select 'shop' as source_system, 'p2' as product_key) to '{folder}/b.parquet' (format parquet)")
    with lake.writing():
        nodes = ("--select", "base_invoices__products")
        dbt.build(*nodes, variables={"max_quarantine_share": 1}, on_node=pipeline.nothing)
    found = ask("select product_key, row_status, reject_reasons from staging.base_invoices__products")
    assert sorted(found) == [("None", "rejected", "product_key is missing"), ("p2", "accepted", "")]


def test_too_many_rejected_rows_stop_the_build(home: Path) -> None:
    folder = home / "raw" / "invoices" / "invoices"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("source_system,invoice_id,invoiced_at\nshop,i1,2024-01-05\nshop,i2,soon\n")
    message = "1 of 2 rows of base_invoices__invoices were rejected, more than max_quarantine_share allows"
    with pytest.raises(errors.TooManyRejected, match=message):
        pipeline.build(as_of=None)
    # Nothing was published: there is no lake yet.
    with pytest.raises(errors.NotBuilt), lake.connect():
        pass


def test_what_the_folders_above_a_home_are_called_is_no_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "category=Bread"
    monkeypatch.setenv("MILLPOND_HOME", str(home))
    folder = home / "raw" / "invoices" / "products"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("source_system,product_key\nshop,p1\n")
    duckdb.sql(f"copy (select 'shop' as source_system, 'p2' as product_key) to '{folder}/b.parquet' (format parquet)")
    with lake.writing():
        dbt.build("--select", "+stg_invoices__products", variables={}, on_node=pipeline.nothing)
    found = ask("select product_key, category from staging.stg_invoices__products order by 1")
    assert found == [("p1", "None"), ("p2", "None")]


def test_a_raw_folder_that_is_gone_stops_a_build_and_leaves_the_lake(home: Path) -> None:
    file = home / "raw" / "invoices" / "products" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("source_system,product_key\nshop,p1\n")

    def build() -> None:
        with lake.writing():
            dbt.build("--select", "+stg_invoices__products", variables={}, on_node=pipeline.nothing)

    build()
    build()
    file.unlink()
    with pytest.raises(errors.NoRawData, match=f"no raw data in {home}/raw"):
        build()
    assert ask("select product_key from staging.stg_invoices__products") == [("p1",)]


def test_columns_that_the_contract_does_not_know_stay_out_and_are_named(home: Path) -> None:
    folder = home / "raw" / "invoices" / "products"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("source_system,product_key,colour\nshop,p1,red\n")
    told: list[str] = []
    with lake.writing():
        nodes = ("--select", "+stg_invoices__products")
        dbt.build(*nodes, variables={}, on_node=pipeline.nothing, on_notice=told.append)
    assert told == ["invoices/products: columns that the raw contract does not know stay out of the lake: colour"]
    assert ask("select product_key from staging.stg_invoices__products") == [("p1",)]
    assert "colour" not in {column[0] for column in ask("describe staging.stg_invoices__products")}
