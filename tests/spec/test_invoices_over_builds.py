"""Invoices that reach the lake one build after another: what each means once all are there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millpond import dbt, errors, lake, pipeline

INVOICES = "source_system,invoice_id,invoiced_at,customer_key,invoice_type,credited_invoice_id,currency\n"
LINES = "source_system,invoice_id,line_no,product_key,quantity,net_amount\n"

# What each build finds besides what was there.
ARRIVALS = (
    {"crm/customers": "source_system,customer_key,created_at\nshop,ann,2024-01-01\n"},
    {
        "invoices/invoices": (
            f"{INVOICES}shop,sale,2024-01-05,ann,invoice,,EUR\nshop,note,2024-01-09,ann,credit_note,sale,EUR\n"
        ),
        "invoices/lines": f"{LINES}shop,sale,1,hat,1,20\nshop,note,1,boot,-1,-50\n",
    },
    {"invoices/lines": f"{LINES}shop,sale,2,boot,1,50\n"},
)


def land(home: Path, name: str, files: dict[str, str]) -> None:
    for table, content in files.items():
        (home / "raw" / table).mkdir(parents=True, exist_ok=True)
        (home / "raw" / table / f"{name}.csv").write_text(content)


def land_rates(home: Path, *rates: str) -> None:
    (home / "raw").mkdir(parents=True, exist_ok=True)
    (home / "raw" / "exchange_rates.csv").write_text("\n".join(["currency,rated_on,rate", *rates, ""]))


def build(*arguments: str, **variables: Any) -> list[str]:
    """Purchase days and what they follow from; returns what the user is told."""
    told: list[str] = []
    words = ("--select", "+int_purchase_days_versioned", "+quarantine", "--exclude-resource-type", "test", *arguments)
    with lake.writing():
        dbt.build(*words, variables=variables, on_node=pipeline.nothing, on_notice=told.append)
    return told


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def amounts() -> dict[str, float]:
    """Of the lines of each invoice."""
    rows = ask("select invoice_id, sum(net_amount) from intermediate.int_invoice_lines_versioned group by all")
    return {invoice_id: float(amount) for invoice_id, amount in rows}


def content() -> list[list[tuple[Any, ...]]]:
    staged = ("staging.base_invoices__invoices", "staging.base_invoices__lines", "marts.quarantine")
    steps = ("customer_keys_united", "invoice_lines_versioned", "purchase_days_versioned")
    tables = (*staged, *(f"intermediate.int_{step}" for step in steps))
    return [ask(f"select columns(c -> c != '_built_at') from {table} order by all") for table in tables]


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("arrived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        for number, files in enumerate(ARRIVALS):
            land(home, str(number), files)
            build()
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("arrived")
def test_a_lake_that_had_no_invoices_takes_the_currency_of_the_first_that_come() -> None:
    assert ask("select distinct currency, row_status from staging.base_invoices__invoices") == [("EUR", "accepted")]


@pytest.mark.slow
@pytest.mark.usefixtures("arrived")
def test_a_credit_note_finds_the_line_that_it_credits_when_that_comes_later() -> None:
    query = "select credited_line_no from intermediate.int_invoice_lines_versioned where invoice_id = 'note'"
    assert ask(query) == [(2,)]


@pytest.mark.slow
def test_an_earlier_invoice_in_another_currency_is_said_and_changes_no_amount(home: Path) -> None:
    land_rates(home, "USD,2024-01-01,1", "EUR,2024-01-01,2")
    land(home, "first", {"invoices/invoices": f"{INVOICES}shop,i1,2024-01-05,ann,,,USD\nshop,i2,2024-01-05,ann,,,\n"})
    land(home, "lines", {"invoices/lines": f"{LINES}shop,i1,1,hat,1,20\nshop,i2,1,hat,1,20\n"})
    assert build() == []
    land(home, "late", {"invoices/invoices": f"{INVOICES}shop,i0,2024-01-03,ann,,,EUR\n"})
    land(home, "late", {"invoices/lines": f"{LINES}shop,i0,1,hat,1,20\n"})
    assert build() == [
        "the earliest invoice, of 2024-01-03, is in EUR, but came later than those that gave the lake USD: "
        "set the variable currency to USD, or to EUR and build with --full-refresh"
    ]
    assert amounts() == {"i0": 40, "i1": 20, "i2": 20}
    assert build(currency="USD") == []
    with pytest.raises(errors.OtherCurrency, match="currency is EUR, and the lake is told in USD: build with --full"):
        build(currency="EUR")
    assert build("--full-refresh", currency="EUR") == []
    assert amounts() == {"i0": 20, "i1": 10, "i2": 20}


@pytest.mark.slow
def test_a_rate_that_is_corrected_or_taken_away_changes_what_a_full_refresh_would(home: Path) -> None:
    land_rates(home, "USD,2024-01-01,1", "EUR,2024-01-01,2", "GBP,2024-01-01,3")
    invoices = f"{INVOICES}shop,i1,2024-01-05,ann,,,USD\nshop,i2,2024-01-06,bob,,,GBP\nshop,i3,2024-01-06,cy,,,EUR\n"
    lines = f"{LINES}shop,i1,1,hat,1,20\nshop,i2,1,hat,1,20\nshop,i3,1,hat,1,20\n"
    land(home, "first", {"invoices/invoices": invoices, "invoices/lines": lines})
    build(currency="USD")
    assert amounts() == {"i1": 20, "i2": 60, "i3": 40}
    land_rates(home, "USD,2024-01-01,1", "EUR,2024-01-01,1.5")
    assert build(currency="USD", max_quarantine_share=1) == [
        "no exchange rate into USD: GBP on 2024-01-06: building anew from all raw files"
    ]
    assert amounts() == {"i1": 20, "i3": 30}
    assert ask("select reject_reasons from marts.quarantine order by all") == [
        ("invoice_id refers to nothing: i2",),
        ("no exchange rate into USD: GBP on 2024-01-06",),
    ]
    after_removal = content()
    build("--full-refresh", currency="USD", max_quarantine_share=1)
    assert after_removal == content()


def test_rates_of_other_separators_lack_their_columns(home: Path) -> None:
    land(home, "first", {"invoices/invoices": f"{INVOICES}shop,i1,2024-01-05,ann,,,USD\n"})
    (home / "raw" / "exchange_rates.csv").write_text("currency;rated_on;rate\nEUR;2024-01-01;0.9\n")
    with pytest.raises(
        errors.MissingColumn, match=r"exchange_rates\.csv lacks the column currency: it needs currency, rated"
    ):
        build()
