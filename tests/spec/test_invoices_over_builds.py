"""Invoices that reach the lake one build after another: what each means once all are there."""

from collections.abc import Iterator
from typing import Any

import pytest

from millpond import dbt, lake, pipeline

# What each build finds besides what was there.
ARRIVALS = (
    {"crm/customers": "source_system,customer_key,created_at\nshop,ann,2024-01-01\n"},
    {
        "invoices/invoices": (
            "source_system,invoice_id,invoiced_at,customer_key,invoice_type,credited_invoice_id,currency\n"
            "shop,sale,2024-01-05,ann,invoice,,EUR\nshop,note,2024-01-09,ann,credit_note,sale,EUR\n"
        ),
        "invoices/lines": (
            "source_system,invoice_id,line_no,product_key,quantity,net_amount\n"
            "shop,sale,1,hat,1,20\nshop,note,1,boot,-1,-50\n"
        ),
    },
    {"invoices/lines": "source_system,invoice_id,line_no,product_key,quantity,net_amount\nshop,sale,2,boot,1,50\n"},
)


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("arrived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        for number, files in enumerate(ARRIVALS):
            for table, content in files.items():
                (home / "raw" / table).mkdir(parents=True, exist_ok=True)
                (home / "raw" / table / f"{number}.csv").write_text(content)
            with lake.writing():
                words = ("--select", "+int_invoice_lines_versioned", "--exclude-resource-type", "test")
                dbt.build(*words, variables={}, on_node=pipeline.nothing)
        yield


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("arrived")
def test_a_lake_that_had_no_invoices_takes_the_currency_of_the_first_that_come() -> None:
    assert ask("select distinct currency, row_status from staging.base_invoices__invoices") == [("EUR", "accepted")]


@pytest.mark.usefixtures("arrived")
def test_a_credit_note_finds_the_line_that_it_credits_when_that_comes_later() -> None:
    query = "select credited_line_no from intermediate.int_invoice_lines_versioned where invoice_id = 'note'"
    assert ask(query) == [(2,)]
