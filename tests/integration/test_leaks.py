"""Predictions as of a date do not depend on what came after it: the whole pipeline, to the last bit."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_loop import ask, forget_rows_from

from millpond import features, lake, pipeline

CUT = date(2023, 12, 4)
MODELS = ("repurchase_timing", "customer_value", "response_propensity")
TABLES = ("repurchase_timing", "customer_value", "response_propensity")


def predictions() -> dict[str, list[tuple[Any, ...]]]:
    """Built, trained and scored as of the cut; a model's version holds a digest of all its files."""
    pipeline.build(as_of=CUT)
    with lake.writing():
        features.apply(features.store())
    for name in MODELS:
        pipeline.train(name)
    pipeline.score()
    return {table: ask(f"select * from predictions.{table} order by all") for table in TABLES}


@pytest.mark.slow
def test_predictions_with_future_rows_present_equal_those_without(
    built_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built_shop, tmp_path / "with_future")
    shutil.copytree(built_shop / "raw", tmp_path / "without_future" / "raw")
    forget_rows_from(tmp_path / "without_future" / "raw", CUT)
    answers = []
    for name in ("with_future", "without_future"):
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / name))
        answers.append(predictions())
    assert answers[0]["repurchase_timing"]
    assert answers[0]["customer_value"]
    assert answers[0] == answers[1]
