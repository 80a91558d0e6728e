"""A trained model becomes a version of the home: its files, and what is said of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from millpond import declared_features, settings
from training import feature_list, model_card, model_store
from training.backtest import Figures

NOT_FOR = "Anyone who decides on credit, prices of necessities, employment or insurance; nobody it scores was asked."


@dataclass(frozen=True)
class Trained:
    """A model that was made current. Figures are None where history is too short for a test out of time."""

    name: str
    version: str
    folder: Path
    figures: Figures | None


def keep(
    name: str,
    connection: DuckDBPyConnection,
    cut: date,
    facts: dict[str, Any],
    figures: Figures | None,
    write: Callable[[Path], None],
) -> Trained:
    """Store a model with its card, figures and features as a version, and make it current.

    Args:
        facts: what its card states; `features` names its inputs.
        write: writes the model's files into the folder it is given.
    """
    snapshot = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
    stated = {**facts, "not_for": NOT_FOR, "as_of": cut.isoformat(), "lake_snapshot": snapshot}
    features = declared_features.inputs_of(name, facts["features"])
    if figures:
        stated["test"] = figures.test
        if figures.groups:
            stated["expected_and_actual_by_tenth"] = [
                f"{group['expected']:,.4g} and {group['actual']:,.4g}" for group in figures.groups
            ]

    def describe(folder: Path, version: str) -> None:
        feature_list.write(features, folder)
        (folder / "metrics.json").write_text(json.dumps(figures._asdict() if figures else None, indent=1) + "\n")
        (folder / "model_card.md").write_text(model_card.render(name, version, stated, _card_rows(figures)))

    version = model_store.keep(settings.models_folder(), name, as_of=cut, write=write, describe=describe)
    return Trained(name, version, settings.models_folder() / name / version, figures)


def _card_rows(figures: Figures | None) -> dict[str, dict[str, Any]]:
    if figures is None:
        return {}
    rows: dict[str, dict[str, Any]] = {who: dict(scores) for who, scores in figures.scores.items()}
    for who, gain in figures.gains.items():
        rows[who][f"model's gain in {figures.loss}"] = tuple(gain)
    return rows
