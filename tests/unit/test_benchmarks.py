"""Benchmarks of models: the published page is that of the result, and the oracle is the truth."""

import json
from collections.abc import Iterator
from types import ModuleType

import numpy as np
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


def test_leaderboard_is_that_of_the_kept_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import models_page

    result = json.loads((BENCHMARKS / "results" / "models.json").read_text())
    assert models_page.leaderboard(result) in models_page.PAGE.read_text()


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
