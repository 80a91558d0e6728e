"""Benchmarks: the published page is that of the result, the oracle is the truth, and compared ways answer the same."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from millpond import settings
from training import bg_nbd, evaluation
from training.bg_nbd import BgNbd

BENCHMARKS = settings.PROJECT / "benchmarks"


@pytest.fixture
def worlds() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import worlds

        yield worlds


@pytest.fixture
def features() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import features

        yield features


@pytest.mark.parametrize("benchmark", sorted(path.stem for path in BENCHMARKS.glob("*.py")))
def test_every_benchmark_finds_what_it_measures(benchmark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    assert import_module(benchmark).__doc__


def test_leaderboard_is_that_of_the_kept_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import models_page

    result = json.loads((BENCHMARKS / "results" / "models.json").read_text())
    assert models_page.leaderboard(result) in models_page.PAGE.read_text()


def test_page_names_every_aim_that_the_kept_result_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import models_page

    result = json.loads((BENCHMARKS / "results" / "models.json").read_text())
    table = models_page.PAGE.read_text().partition("### Where it falls short")[2].partition(models_page.BEGIN)[0]
    stated = {tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table.splitlines() if "|" in line}
    words = {"calibration_slope": "slope", "predicted_over_actual": "predicted / actual"}
    missed = {("data", "what", "found"), ("---", "---", "---:")}
    for name, found in result["data_sets"].items():
        title, ours = models_page.TITLES[name], found["mean"]["repurchase_timing"]
        for figure, said in words.items():
            for days in (30, 90):
                value = ours[f"{days}d"][figure]
                missed |= {(title, f"{said}, {days} d", f"{value:.2f}")} if not 0.9 <= value <= 1.1 else set()
        for cut, one in found["dates"].items():
            estimate, low, high = (100 * value for value in one["gains"]["BG/NBD"])
            gain = (title, f"gain over the BG/NBD, {cut}", f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]")
            missed |= {gain} if low <= 0 else set()
    assert stated == missed


def test_leaderboard_has_every_figure_that_was_aimed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import models_page

    shown = {(figure, days) for _, days, figure in models_page.COLUMNS}
    aimed_at = {(figure, days) for figure in ("calibration_slope", "predicted_over_actual") for days in ("30d", "90d")}
    assert aimed_at <= shown


def test_oracle_of_waits_of_one_is_the_bg_nbd(worlds: ModuleType) -> None:
    world = worlds.WORLDS[0]
    history = (np.array([0.0, 2, 30]), np.array([0.0, 100, 200]), np.array([50.0, 150, 260]))
    params = BgNbd(world.r, world.alpha, world.a, world.b)
    exact = bg_nbd.probability_of_purchase(params, *history, 30)
    assert worlds.oracle(world, *history, 30) == pytest.approx(exact)


def test_oracle_of_a_world_of_cycles_is_calibrated(worlds: ModuleType) -> None:
    world, cut = worlds.WORLDS[1], 280
    bought = worlds.purchases(world, 5000, seed=3)
    past = bought[bought["day"] < cut].groupby("customer")["day"].agg(["min", "max", "count"]).astype(float)
    later = bought[bought["day"] >= cut].groupby("customer")["day"].min().reindex(past.index)
    history = (past["count"] - 1, past["max"] - past["min"], cut - past["min"])
    predicted = worlds.oracle(world, *(one.to_numpy() for one in history), 30)
    figures = evaluation.probability_metrics((later < cut + 30).to_numpy(), predicted)
    assert figures["predicted_over_actual"] == pytest.approx(1, abs=0.03)
    assert figures["calibration_slope"] == pytest.approx(1, abs=0.1)


def test_features_of_two_purchase_days_are_those_counted_by_hand(features: ModuleType) -> None:
    from features_ways import pandas_features

    monday = pd.Timestamp("2022-01-10")
    purchases = pd.DataFrame(
        {
            "customer_id": "anna",
            "purchase_date": [monday - pd.Timedelta(days=days) for days in (10, 7, 0)],
            "net_amount": [3.0, 4.0, 100.0],
            "gap_days": [np.nan, 3.0, 7.0],
        }
    )
    observations = pd.DataFrame({"customer_id": ["anna", "berta"], "observation_date": monday})
    anna, berta = pandas_features(purchases, observations).to_dict("records")
    # Of the day of observation nothing is known yet, and the seventh day before it is one of the past seven.
    assert (anna["purchase_days_past_7_days"], anna["net_amount_past_7_days"]) == (1, 4)
    assert (anna["purchase_days_ever"], anna["net_amount_ever"]) == (2, 7)
    assert (anna["tenure_days"], anna["days_since_last_purchase"], anna["gap_days_mean"]) == (10, 7, 3)
    assert np.isnan(anna["gap_days_sd"])
    assert (berta["purchase_days_ever"], np.isnan(berta["tenure_days"])) == (0, True)


def test_feature_models_answer_what_pandas_answers(features: ModuleType, tmp_path: Path) -> None:
    from features_data import FEATURES, Size, prepare
    from features_ways import reader

    size = Size(customers=12, weeks=30)
    prepare(tmp_path, size)
    answers = [tmp_path / f"{way}.parquet" for way in ("millpond", "pandas")]
    for answer in answers:
        pq.write_table(reader(tmp_path, answer.stem, size)(), answer)
    cells = size.customers * size.weeks * len(FEATURES)
    assert features.compared(*answers) == {"cells": cells, "mismatches": 0}

    other = tmp_path / "other.parquet"
    duckdb.execute(f"copy (select * replace (tenure_days + 1 as tenure_days) from '{answers[0]}') to '{other}'")
    [(buyers,)] = duckdb.execute(f"select count(tenure_days) from '{other}'").fetchall()
    assert features.compared(answers[0], other)["mismatches"] == buyers > 0
