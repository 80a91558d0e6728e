"""The raw contract for programs: docs/raw_contract.schema.json is what dbt declares."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from millpond import cli, contract, landing, settings

FILE = settings.PROJECT / "docs" / "raw_contract.schema.json"
INVOICE = {"source_system": "shop", "invoice_id": 17, "invoiced_at": "2024-01-05T10:00:00Z"}
LINE = {"source_system": "shop", "invoice_id": "i1", "line_no": 1, "product_key": "p1", "quantity": 2.5}
MESSAGE = {"source_system": "m", "message_id": "m1", "customer_key": "c1", "sent_at": "2024-01-05"}


def errors_of(table: str, row: dict[str, Any]) -> list[str]:
    family, name = table.split(".")
    validator = jsonschema.Draft202012Validator(json.loads(FILE.read_text()))
    return [error.message for error in validator.iter_errors({family: {name: [row]}})]


def test_the_committed_schema_is_what_the_sources_declare() -> None:
    assert FILE.read_text() == contract.as_text(contract.schema()), (
        "run `millpond contract --out docs/raw_contract.schema.json`"
    )


def test_the_schema_is_one_and_names_every_table() -> None:
    found = json.loads(FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    assert {*found["$defs"]} == {f"{family}.{table}" for family, tables in landing.TABLES.items() for table in tables}
    assert {table.split(".")[0] for table in found["$defs"]} == {*found["properties"]}
    for table in found["$defs"].values():
        assert {*table["x-id"], *table["required"]} <= {*table["properties"]}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("invoices.invoices", INVOICE),
        ("invoices.invoices", INVOICE | {"customer_key": None, "known_at": None, "unknown_column": 1}),
        ("invoices.lines", LINE | {"quantity": "2", "line_no": "1", "net_amount": "-9.90", "discount_amount": None}),
        ("communications.messages", MESSAGE | {"arm": "control", "attributes": '{"slot": 1}'}),
    ],
)
def test_good_rows_are_valid(table: str, row: dict[str, Any]) -> None:
    assert errors_of(table, row) == []


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("invoices.invoices", {"source_system": "shop", "invoice_id": "i1"}),
        ("invoices.invoices", INVOICE | {"invoiced_at": "last Tuesday"}),
        ("invoices.invoices", INVOICE | {"source_system": " "}),
        ("invoices.invoices", INVOICE | {"invoice_type": "gift"}),
        ("invoices.lines", LINE | {"net_amount": "9,90"}),
        ("invoices.lines", LINE | {"discount_amount": -1}),
        ("invoices.lines", LINE | {"line_no": 1.5}),
        ("communications.messages", MESSAGE | {"logging_probability": 1.5}),
        ("communications.messages", MESSAGE | {"attributes": "[1]"}),
    ],
)
def test_bad_rows_are_not(table: str, row: dict[str, Any]) -> None:
    assert len(errors_of(table, row)) == 1


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["contract"]).output == FILE.read_text()
    assert CliRunner().invoke(cli.app, ["contract", "--out", str(tmp_path / "schema.json")]).exit_code == 0
    assert (tmp_path / "schema.json").read_text() == FILE.read_text()
