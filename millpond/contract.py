"""The raw contract as a JSON Schema (draft 2020-12), made from what dbt declares of its sources."""

import json
from pathlib import Path
from typing import Any

import yaml

from millpond import settings

VERSION = 1

# What a value of each word of the contract looks like in JSON. CSV knows only text, so numbers may be text too.
NUMBER_AS_TEXT = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
TYPES: dict[str, dict[str, Any]] = {
    "key": {"type": ["string", "integer"]},
    "text": {"type": ["string"]},
    "ts": {
        "type": ["string"],
        "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?)?$",
    },
    "date": {"type": ["string"], "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "boolean": {"type": ["boolean", "string"], "pattern": r"^([Tt]rue|TRUE|[Ff]alse|FALSE|[TtFf01])$"},
    "double": {"type": ["number", "string"], "pattern": NUMBER_AS_TEXT},
    "money": {"type": ["number", "string"], "pattern": NUMBER_AS_TEXT},
    "bigint": {"type": ["integer", "string"], "pattern": r"^\s*[+-]?\d+(\.0*)?\s*$"},
    "json": {"type": ["string"], "contentMediaType": "application/json", "pattern": r"^\s*\{"},
    "json array": {"type": ["string"], "contentMediaType": "application/json", "pattern": r"^\s*\["},
}


def schema(project: Path = settings.PROJECT) -> dict[str, Any]:
    """The contract: families as properties, tables as arrays of rows; each table stands in `$defs` as <family>.<table>.

    Raises:
        KeyError: a column has a type that the contract does not know.
    """
    tables = {
        f"{source['name']}.{table['name']}": _table(table) for source in _sources(project) for table in source["tables"]
    }
    families = {
        source["name"]: {
            "type": "object",
            "description": source["description"],
            "properties": {table["name"]: _rows(source["name"], table["name"]) for table in source["tables"]},
        }
        for source in _sources(project)
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:millpond:raw-contract:{VERSION}",
        "title": f"Millpond raw contract, version {VERSION}",
        "description": "Rows of <home>/raw/<family>/<table>/, as docs/raw_contract.md describes them.",
        "type": "object",
        "properties": families,
        "$defs": tables,
    }


def as_text(contract: dict[str, Any]) -> str:
    return json.dumps(contract, indent=2, ensure_ascii=False) + "\n"


def _sources(project: Path) -> list[dict[str, Any]]:
    files = sorted((project / "models" / "staging").glob("*/_*__sources.yml"))
    return [source for file in files for source in yaml.safe_load(file.read_text())["sources"]]


def _rows(family: str, table: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{family}.{table}"}}


def _table(table: dict[str, Any]) -> dict[str, Any]:
    """One table: its columns, and what identifies and dates a row (x-id, x-event-at; null: known from the start)."""
    meta = table["config"]["meta"]
    return {
        "type": "object",
        "description": table["description"],
        "x-id": ["source_system", *meta["id"]],
        "x-event-at": meta.get("event_at"),
        "required": [column["name"] for column in table["columns"] if _meta(column).get("required")],
        "properties": {column["name"]: _column(column) for column in table["columns"]},
    }


def _meta(column: dict[str, Any]) -> dict[str, Any]:
    meta: dict[str, Any] = column["config"]["meta"]
    return meta


def _column(column: dict[str, Any]) -> dict[str, Any]:
    """One column; an optional one may be null, a required one not be empty; x-any-case: in a lake in lower case."""
    meta = _meta(column)
    is_required = meta.get("required", False)
    found = {"description": column["description"], **TYPES[meta["type"]], "x-type": meta["type"]}
    found["type"] = found["type"] if is_required else [*found["type"], "null"]
    if is_required and "pattern" not in found:
        found["pattern"] = r"\S"
    if "accepted" in meta:
        found["enum"] = [*meta["accepted"]] if is_required else [*meta["accepted"], None]
    if meta.get("any_case"):
        found["x-any-case"] = True
    if "default" in meta:
        found["default"] = meta["default"]
    return found | _range(meta.get("range"))


def _range(bounds: list[Any] | None) -> dict[str, Any]:
    """Bounds of numbers are checked by the schema; those of dates it can only tell (x-range)."""
    if bounds is None:
        return {}
    if any(isinstance(bound, str) for bound in bounds):
        return {"x-range": bounds}
    named = zip(("minimum", "maximum"), bounds, strict=True)
    return {name: bound for name, bound in named if bound is not None}
