"""The leaderboard of docs/models.md, written from benchmarks/results/models.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from machine import PROJECT

PAGE = PROJECT / "docs" / "models.md"
BEGIN, END = "<!-- leaderboard: written by benchmarks/models.py -->", "<!-- end of the leaderboard -->"

TITLES = {"complete_journey": "Complete Journey", "cdnow": "CDNOW", "online_retail": "Online Retail"}

# Heading, group and name of a figure.
COLUMNS = (
    ("LL", "mean", "log_loss"),
    ("Brier", "mean", "brier"),
    ("AUC", "mean", "auc"),
    ("C", "curve", "concordance"),
    ("IBS", "curve", "integrated_brier"),
    ("slope 30 d", "30d", "calibration_slope"),
    ("slope 90 d", "90d", "calibration_slope"),
    ("ratio 30 d", "30d", "predicted_over_actual"),
    ("ratio 90 d", "90d", "predicted_over_actual"),
    ("lift 10 %", "mean", "lift_at_10_percent"),
)
COUNTS = (
    ("MAE", "mae"),
    ("RMSE", "rmse"),
    ("Poisson deviance", "poisson_deviance"),
    ("ratio", "predicted_over_actual"),
)


def write_leaderboard(result: Path) -> Path:
    """Replace the leaderboard of the page by that of the result."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{leaderboard(json.loads(result.read_text()))}{END}{rest.partition(END)[2]}")
    return PAGE


def leaderboard(result: Mapping[str, Any]) -> str:
    """Markdown: for each data set a table of probabilities, one of gains and one of counts."""
    return "".join(_data_set(TITLES[name], found) for name, found in result["data_sets"].items())


def _data_set(title: str, found: Mapping[str, Any]) -> str:
    dates = ", ".join(f"{cut} ({one['customers']:,})" for cut, one in found["dates"].items())
    counting = {who: groups["purchases_90d"] for who, groups in found["mean"].items() if groups["purchases_90d"]}
    return (
        f"\n### {title}\nTest dates (customers): {dates}.\n\n"
        + _table(["", *(heading for heading, _, _ in COLUMNS)], [_figures(*one) for one in found["mean"].items()])
        + "\nPercent by which log loss is below that of each other [95 % interval], per date and of all dates:\n\n"
        + _table(["", *found["dates"], "all"], [_gains(who, found) for who in found["gains"]])
        + "\nPurchase days in 90 days:\n\n"
        + _table(
            ["", *(heading for heading, _ in COUNTS)],
            [[who, *(f"{figures[name]:.3f}" for _, name in COUNTS)] for who, figures in counting.items()],
        )
    )


def _figures(who: str, groups: Mapping[str, Mapping[str, float]]) -> list[str]:
    shown = (groups[group].get(name) for _, group, name in COLUMNS)
    digits = [4, 4, 4, 4, 4, 2, 2, 2, 2, 2]
    return [who, *("" if value is None else f"{value:.{n}f}" for value, n in zip(shown, digits, strict=True))]


def _gains(who: str, found: Mapping[str, Any]) -> list[str]:
    per_date = [one["gains"][who] for one in found["dates"].values()]
    return [who, *(_interval(gain) for gain in [*per_date, found["gains"][who]])]


def _interval(gain: list[float]) -> str:
    estimate, low, high = (100 * value for value in gain)
    return f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
