"""Uplift: learners on a world whose effects are known, the Qini area, its verdicts and tables."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import curves, qini, ranking, uplift
from training.errors import TrainingError
from training.uplift import UpliftModel


class Test(NamedTuple):
    """Messages of one made-up test, and the true effect of each."""

    __test__ = False

    inputs: pd.DataFrame
    responded: np.ndarray
    contacted: np.ndarray
    effect: np.ndarray


def campaign(n: int, seed: int, *, effects: tuple[float, float]) -> Test:
    """A tenth is withheld; those who like letters and the others respond to contact by `effects`; keen ones anyway."""
    random = np.random.default_rng(seed)
    likes, keen = random.random(n) < 0.5, random.random(n)
    contacted = random.random(n) < 0.9
    effect = np.where(likes, *effects)
    responded = random.random(n) < 0.05 + 0.3 * keen + effect * contacted
    inputs = pd.DataFrame(
        {"likes": likes.astype(float), "keen": keen, "noise": random.normal(size=n), "action_id": "letter"}
    )
    return Test(inputs, responded, contacted, effect)


def gains(test: Test) -> np.ndarray:
    return qini.gains_of_contact(test.responded, test.contacted, test.inputs["action_id"].tolist())


@pytest.fixture(scope="module")
def train() -> Test:
    return campaign(6000, 1, effects=(0.3, 0.0))


@pytest.fixture(scope="module")
def model(train: Test) -> UpliftModel:
    return uplift.fit(train.inputs, train.responded, train.contacted, seed=1, optional=["noise"])


def customers(n: int) -> list[str]:
    return [f"c{position}" for position in range(n)]


def test_learner_finds_who_is_persuaded_not_who_is_keen(model: UpliftModel) -> None:
    new = campaign(3000, 2, effects=(0.3, 0.0))
    scores = model.predict(new.inputs)
    likes = new.effect > 0
    assert scores[likes].mean() == pytest.approx(0.3, abs=0.07)
    assert scores[~likes].mean() == pytest.approx(0.0, abs=0.07)
    assert abs(np.corrcoef(scores[likes], new.inputs["keen"][likes])[0, 1]) < 0.5


def test_x_learner_is_nearer_to_an_effect_that_is_the_same_for_all() -> None:
    learnt, new = (campaign(4000, seed, effects=(0.15, 0.15)) for seed in (3, 5))
    model = uplift.fit(learnt.inputs, learnt.responded, learnt.contacted, seed=1)
    matrix, n_codes = model.encoding.matrix(learnt.inputs), model.encoding.n_codes
    arms = uplift.fit_arms(matrix, learnt.responded, learnt.contacted, n_codes=n_codes, seed=1)
    x_learner, t_learner = model.predict(new.inputs), arms.uplift(model.encoding.matrix(new.inputs))
    assert np.square(x_learner - 0.15).mean() < np.square(t_learner - 0.15).mean()


@pytest.mark.parametrize(
    ("effects", "words"), [((0.3, 0.0), "personalise"), ((0.15, 0.15), "same for all"), ((0.0, 0.0), "not proven")]
)
def test_each_verdict_can_be_reached(effects: tuple[float, float], words: str) -> None:
    learnt, test = (campaign(4000, seed, effects=effects) for seed in (3, 6))
    scores = uplift.fit(learnt.inputs, learnt.responded, learnt.contacted, seed=1).predict(test.inputs)
    found = qini.verdict(scores, gains(test), customers(4000), seed=1)
    assert found.words == words
    assert found.effect.low <= np.mean(effects) <= found.effect.high


def test_keen_customers_are_rarely_taken_for_persuadable_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qini, "RESAMPLES", 100)
    tests = [campaign(2000, seed, effects=(0.0, 0.0)) for seed in range(20)]
    verdicts = [qini.verdict(one.inputs["keen"].to_numpy(), gains(one), customers(2000), seed=1) for one in tests]
    # One in forty by design, and an area of 0 on the mean.
    assert sum(one.words == "personalise" for one in verdicts) <= 2
    assert abs(np.mean([one.qini.estimate for one in verdicts])) < 0.004


def test_qini_of_four_customers_can_be_checked_by_hand() -> None:
    # Gains 1, 1, 0, 0 by score: 1/4, 1/2, 1/2, 1/2 against 1/8, 1/4, 3/8, 1/2 at random.
    assert qini.qini(np.array([4.0, 3, 2, 1]), np.array([1.0, 1, 0, 0])) == pytest.approx((1 + 2 + 1 + 0) / 8 / 4)
    assert qini.qini(np.ones(4), np.array([1.0, 1, 0, 0])) == pytest.approx(0)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=20))
def test_reversed_scores_have_the_opposite_area(gain: list[int]) -> None:
    score, gains_ = np.arange(len(gain), dtype=float), np.array(gain, dtype=float)
    n = len(gain)
    # The rows contacted first and last swap places, but for the half step at which a row itself enters.
    total = qini.qini(score, gains_) + qini.qini(-score, gains_)
    assert total == pytest.approx(0, abs=abs(gains_).sum() / n / n + 1e-9)


def test_gains_weigh_each_offer_by_its_own_split() -> None:
    responded, contacted = np.ones(6, dtype=bool), np.array([True, True, True, False, True, False])
    assert qini.gains_of_contact(responded, contacted, list("aaaabb")) == pytest.approx(
        [4 / 3, 4 / 3, 4 / 3, -4, 2, -2]
    )


def test_offer_that_all_received_says_nothing() -> None:
    with pytest.raises(
        TrainingError, match=r"^2 messages of offers that all or none received; .*leave such offers out$"
    ):
        qini.gains_of_contact(np.ones(4, dtype=bool), np.array([True, True, True, False]), list("aabb"))


def test_table_and_number_to_contact_can_be_checked_by_hand() -> None:
    score, outcome = np.array([0.1, 0.4, 0.3, 0.2]), np.array([1.0, 3.0, 0.0, 0.0])
    assert ranking.rank_table(score, outcome, groups=2) == [
        {
            "count": 2,
            "expected": pytest.approx(0.35),
            "actual": 1.5,
            "total": 3.0,
            "cumulative_gain": 0.75,
            "lift": 1.5,
        },
        {
            "count": 2,
            "expected": pytest.approx(0.15),
            "actual": 0.5,
            "total": 1.0,
            "cumulative_gain": 1.0,
            "lift": 0.5,
        },
    ]
    assert ranking.number_to_contact(score, value=10, cost=2.5) == (2, pytest.approx(1.5 + 0.5), 0.3)


def test_rows_of_one_score_share_their_outcomes_in_whatever_order_they_come() -> None:
    score, outcome = np.array([0.5, 0.2, 0.2, 0.2]), np.array([0.0, 1.0, 1.0, 0.0])
    table = ranking.rank_table(score, outcome, groups=2)
    assert [group["total"] for group in table] == pytest.approx([2 / 3, 4 / 3])
    swapped = ranking.rank_table(score, outcome[[0, 3, 2, 1]], groups=2)
    assert swapped == [pytest.approx(group) for group in table]
    drawn = curves.gain(outcome, {"model": score})
    assert [group["cumulative_gain"] for group in table] == pytest.approx(drawn["gained"].iloc[[2, 4]].tolist())


def test_nobody_is_worth_a_contact_that_costs_too_much() -> None:
    assert ranking.number_to_contact(np.array([0.1, 0.4]), value=10, cost=4) == (0, 0.0, None)


def test_loaded_model_scores_equal_to_the_last_bit(model: UpliftModel, train: Test, tmp_path: Path) -> None:
    uplift.save(model, tmp_path)
    loaded = uplift.load(tmp_path)
    assert loaded.predict(train.inputs).tolist() == model.predict(train.inputs).tolist()
    assert loaded.metadata == model.metadata
    # An attribute that no message has today.
    assert np.isfinite(loaded.predict(train.inputs.drop(columns="noise"))).all()


def test_column_recorded_after_the_outcome_is_named(train: Test) -> None:
    planted = train.inputs.assign(customer_status=np.where(train.responded, "redeemed", "open"))
    with pytest.raises(TrainingError, match=r"^leak check: customer_status alone tells who responded \(AUC 1.000\); "):
        uplift.fit(planted, train.responded, train.contacted, seed=1)


def test_too_few_responses_of_those_withheld_are_one_line(train: Test) -> None:
    contacted = np.arange(len(train.responded)) >= 30
    with pytest.raises(TrainingError, match=r"^30 withheld messages, \d+ with a response; expected at least 20"):
        uplift.fit(train.inputs, train.responded, contacted, seed=1)
