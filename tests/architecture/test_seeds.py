"""What people edit: seeds keep to the grain that they declare, and those that belong together fit."""

import csv
from collections import Counter
from typing import Any

import pytest
import yaml

from millpond import settings

FOLDER = settings.PROJECT / "seeds"
SEEDS = yaml.safe_load((FOLDER / "_seeds.yml").read_text())["seeds"]


def rows(seed: str) -> list[dict[str, str]]:
    with (FOLDER / f"{seed}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if "config" in seed], ids=lambda seed: str(seed["name"]))
def test_rows_of_a_seed_are_unique_by_its_grain(seed: dict[str, Any]) -> None:
    found = Counter(tuple(row[column] for column in seed["config"]["meta"]["grain"]) for row in rows(seed["name"]))
    assert [key for key, count in found.items() if count > 1] == []


def test_every_value_has_a_score_and_every_pair_of_scores_a_segment() -> None:
    thresholds = rows("rfm_thresholds")
    for measure in ("recency", "frequency", "monetary"):
        own = [row for row in thresholds if row["measure"] == measure]
        assert min(float(row["from_value"]) for row in own) == 0
        assert {row["score"] for row in own} == {"1", "2", "3", "4", "5"}
    pairs = {(row["recency_score"], row["frequency_score"]) for row in rows("rfm_segments")}
    assert len(pairs) == 25


def test_a_stage_has_one_rank_and_each_rank_one_stage() -> None:
    ranked = {(row["stage"], row["stage_rank"]) for row in rows("aida_stages")}
    assert sorted(rank for _, rank in ranked) == ["1", "2", "3", "4", "5", "6"]
    assert len({stage for stage, _ in ranked}) == 6
