"""The catalogue of features: docs/features.md is what dbt declares."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import yaml
from typer.testing import CliRunner

from millpond import catalogue, cli, settings

FILE = settings.PROJECT / "docs" / "features.md"


def test_the_committed_catalogue_is_what_the_models_declare() -> None:
    assert FILE.read_text() == catalogue.catalogue(), "run `millpond catalogue --out docs/features.md`"


def test_every_feature_model_has_a_section() -> None:
    models = {file.stem for file in (settings.PROJECT / "models" / "features").glob("*.sql")}
    assert {*re.findall(r"^## (\w+)$", FILE.read_text(), re.MULTILINE)} == models


def test_no_two_views_of_a_service_share_a_feature_name() -> None:
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for file in (settings.PROJECT / "models" / "features").glob("_*__models.yml"):
        for view in yaml.safe_load(file.read_text())["models"]:
            meta = view["config"]["meta"]
            features = [column["name"] for column in view["columns"] if column["name"] not in meta["grain"]]
            for service in meta["feast"]["services"]:
                names[service].update(features)
    assert "customer_360" in names
    assert [(service, name) for service, found in names.items() for name, count in found.items() if count > 1] == []


def test_meaning_and_null_of_a_feature_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "features"
    folder.mkdir(parents=True)
    (folder / "_all__models.yml").write_text(
        """
models:
  - name: customer_mood
    description: "How they feel."
    config: {meta: {grain: [customer_id, observation_date], feast: {services: [customer_360, other], ttl_days: 3}}}
    columns:
      - {name: customer_id, data_type: varchar, description: "The customer."}
      - name: mood
        data_type: double
        description: "Mood, 0 to 1. Above 1|2: good; null: never asked."
        config: {meta: {unit: share, example: 0.5}}
      - {name: observation_date, data_type: date, description: "As-of date."}
"""
    )
    found = catalogue.catalogue(tmp_path)
    assert "| [customer_mood](#customer_mood) | 1 | customer_id | customer_360, other | 3 days |" in found
    assert "| `mood` | double | share | Mood, 0 to 1. Above 1/2: good | never asked | 0.5 |" in found


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["catalogue"]).output == FILE.read_text()
    assert CliRunner().invoke(cli.app, ["catalogue", "--out", str(tmp_path / "features.md")]).exit_code == 0
    assert (tmp_path / "features.md").read_text() == FILE.read_text()
