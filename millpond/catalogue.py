"""The catalogue of features (docs/features.md), made from what dbt declares of models/features."""

from pathlib import Path
from typing import Any

import yaml

from millpond import settings

HEAD = """# Features

Made by `millpond catalogue --out docs/features.md` from `models/features/*.yml`, where each feature is declared once;
Feast and the contracts of dbt follow.

A view has one row per customer (and further keys) and observation date, computed from what had happened and was known
before that date, 00:00 UTC. *Fresh for*: a row that is older at the time asked for is not served. *Services*: what to
ask Feast for. A feature without an entry under *null* is never null.
"""
NULL = "null: "


def catalogue(project: Path = settings.PROJECT) -> str:
    """All feature views by name, as Markdown: a table of the views, then one section each.

    Raises:
        KeyError: a view without meta.feast, or a feature without type or description.
    """
    views = sorted(_models(project), key=lambda model: str(model["name"]))
    rows = [_view_row(view) for view in views]
    index = _table(["view", "features", "keys", "services", "fresh for"], rows)
    return "\n".join([HEAD, index, *(_section(view) for view in views)])


def _models(project: Path) -> list[dict[str, Any]]:
    files = sorted((project / "models" / "features").glob("_*__models.yml"))
    return [model for file in files for model in yaml.safe_load(file.read_text())["models"]]


def _features(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [column for column in view["columns"] if column["name"] not in view["config"]["meta"]["grain"]]


def _view_row(view: dict[str, Any]) -> list[str]:
    name, feast = view["name"], view["config"]["meta"]["feast"]
    keys = [key for key in view["config"]["meta"]["grain"] if key != "observation_date"]
    services = ", ".join(feast["services"])
    return [f"[{name}](#{name})", str(len(_features(view))), ", ".join(keys), services, f"{feast['ttl_days']} days"]


def _section(view: dict[str, Any]) -> str:
    rows = [_feature_row(column) for column in _features(view)]
    table = _table(["feature", "type", "unit", "meaning", "null", "example"], rows)
    return f"## {view['name']}\n\n{view['description']}\n\n{table}"


def _feature_row(column: dict[str, Any]) -> list[str]:
    """One feature; what its description says after `null: ` has a column of its own, empty where it is never null."""
    meaning, _, null = column["description"].partition(NULL)
    meta = column.get("config", {}).get("meta", {})
    meaning = meaning.rstrip("; ").removesuffix(".")
    example = str(meta.get("example", ""))
    return [f"`{column['name']}`", column["data_type"], meta.get("unit", ""), meaning, null.removesuffix("."), example]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
