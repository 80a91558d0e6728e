"""A trained model becomes a version of the home: its files, and what is said of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from millpond import declared_features, settings, tracking
from training import feature_list, model_card, model_store
from training.figures import Figures

NOT_FOR = "Anyone who decides on credit, prices of necessities, employment or insurance; nobody it scores was asked."

PLOTS = {
    "calibration": "Predicted and actual rates, in tenths with their counts and 95 % intervals",
    "amounts": "Expected and actual, in tenths",
    "survival": "Who has not bought again: predicted (lines) and actual (points), by purchase days so far",
    "gain": "What those with the highest scores bring, beside as many at random",
    "importance": "Share of each input in the gain of the trees (the linear part is not in it)",
    "contributions": "What each input adds to the log odds, trees and linear part together, row by row",
}


@dataclass(frozen=True)
class Trained:
    """A model that was kept as a version.

    Attributes:
        figures: of the test out of time; None: there was none.
        test: what was tested, or why nothing was, in words.
        notices: what its user should know of the data, or that it is not in use or not logged, each in one line.
    """

    name: str
    version: str
    folder: Path
    figures: Figures | None
    test: str
    notices: tuple[str, ...] = ()


def keep(
    name: str,
    connection: DuckDBPyConnection,
    cut: date,
    facts: dict[str, Any],
    tested: Figures | str,
    write: Callable[[Path], None],
    explained: Mapping[str, pd.DataFrame],
) -> Trained:
    """Store a model with its card, figures, features and plots as a version, and make it current where none newer is.

    Args:
        facts: what its card states; `features` names its inputs.
        tested: what the test out of time gave, or why there was none.
        write: writes the model's files into the folder it is given.
        explained: frames of `training.curves` that show the model, by the name of their chart.
    """
    snapshot = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
    stated = {**facts, "not_for": NOT_FOR, "as_of": cut.isoformat(), "lake_snapshot": snapshot}
    features = declared_features.inputs_of(name, facts["features"])
    figures = tested if isinstance(tested, Figures) else None
    stated["test"] = figures.test if figures else f"None: {tested}."
    if figures:
        if figures.groups:
            stated["tenths_of_the_test_by_score"] = list(figures.groups)
        if figures.contacts:
            stated["worth_contacting_in_the_test"] = list(figures.contacts)
    frames = {**(figures.curves if figures else {}), **explained}
    if frames:
        stated["plots"] = [f"[{PLOTS[plot]}](plots/{plot}.svg)" for plot in frames]

    def describe(folder: Path, version: str) -> None:
        feature_list.write(features, folder)
        _draw(frames, folder / "plots")
        (folder / "metrics.json").write_text(json.dumps(figures.to_json() if figures else None, indent=1) + "\n")
        (folder / "model_card.md").write_text(model_card.render(name, version, stated, _card_rows(figures)))

    newer = _newer_in_use(name, connection, cut)
    version = model_store.keep(
        settings.models_folder(), name, as_of=cut, write=write, describe=describe, is_used=newer is None
    )
    folder = settings.models_folder() / name / version
    not_used = (
        newer and f"{newer} stays in use, for it knows more; `millpond models promote {name} {version}` goes back"
    )
    notices = (not_used, tracking.log(name, folder, stated, figures))
    return Trained(name, version, folder, figures, stated["test"], tuple(one for one in notices if one))


def _newer_in_use(name: str, connection: DuckDBPyConnection, cut: date) -> str | None:
    """The version in use, if it learnt from more than is known at the cut; None: or from more than this lake knows."""
    built: date = connection.execute("select as_of_date from intermediate.int_as_of_date").fetchall()[0][0]
    current = model_store.usable(settings.models_folder(), name)
    return current.name if current and cut < model_store.as_of(current.name) <= built else None


def _draw(frames: Mapping[str, pd.DataFrame], folder: Path) -> None:
    # Altair takes half a second to load, and only training draws.
    from training import plots

    folder.mkdir()
    for name, frame in frames.items():
        (folder / f"{name}.svg").write_text(plots.svg(name, frame))


def _card_rows(figures: Figures | None) -> dict[str, dict[str, Any]]:
    if figures is None:
        return {}
    rows: dict[str, dict[str, Any]] = {who: dict(scores) for who, scores in figures.scores.items()}
    rows["model"] |= figures.intervals
    for who, gain in figures.gains.items():
        rows[who][f"model's gain in {figures.loss}"] = tuple(gain)
    return rows
