"""What plots are drawn from, and that they are drawn."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import curves, plots
from training.contributions import Contributions


def test_survival_of_a_segment_can_be_checked_by_hand() -> None:
    # Two bought once, of whom one comes back on day 3; one bought on 30 days and does not.
    days, purchase_days = np.array([3.0, np.nan, np.nan]), np.array([1.0, 1.0, 30.0])
    frame = curves.survival(days, {3: np.array([0.2, 0.4, 0.5]), 7: np.array([0.4, 0.8, 0.5])}, purchase_days)
    shares = frame.pivot(index=["segment", "who"], columns="day", values="share")
    assert shares.loc[("1 purchase day (2)", "actual")].tolist() == [1.0, 1.0, 0.5]
    assert shares.loc[("1 purchase day (2)", "predicted")].tolist() == pytest.approx([1.0, 0.7, 0.4])
    assert shares.loc[("25 or more (1)", "actual")].tolist() == [1.0, 1.0, 1.0]
    assert len(shares) == 4


def test_gain_can_be_checked_by_hand() -> None:
    outcome = np.array([0, 1, 1, 0])
    frame = curves.gain(outcome, {"right": np.array([0.1, 0.9, 0.8, 0.2]), "same": np.ones(4)})
    gained = frame.pivot(index="who", columns="taken", values="gained")
    assert gained.loc["right"].tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert gained.loc["same"].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


@given(st.lists(st.booleans(), min_size=10, max_size=200))
def test_rates_lie_within_their_intervals(answers: list[bool]) -> None:
    outcome = np.array(answers)
    frame = curves.calibration({"all": (outcome, np.linspace(0, 1, len(outcome)))})
    assert frame["rows"].sum() == len(outcome)
    assert ((frame["low"] <= frame["actual"] + 1e-12) & (frame["actual"] <= frame["high"] + 1e-12)).all()
    assert frame[["low", "high"]].stack().between(-1e-12, 1 + 1e-12).all()


def test_inputs_that_move_most_come_first_and_texts_have_no_height() -> None:
    found = Contributions(np.zeros(2), pd.DataFrame({"little": [0.1, -0.1], "much": [-2.0, 1.0], "word": [0.5, 0.5]}))
    frame = curves.contributions(found, pd.DataFrame({"little": [1, 2], "much": [5.0, 9.0], "word": ["a", "b"]}))
    assert frame["input"].unique().tolist() == ["much", "word", "little"]
    assert frame.loc[frame["input"] == "much", "height"].tolist() == [0.5, 1.0]
    assert frame.loc[frame["input"] == "word", "height"].isna().all()


def test_sample_is_small_and_always_the_same() -> None:
    rows = pd.DataFrame({"row": range(10_000)})
    shown = curves.sampled(rows)
    assert len(shown) == curves.SHOWN_ROWS
    assert shown.equals(curves.sampled(rows))
    assert len(curves.sampled(rows.head(3))) == 3


FRAMES = {
    "calibration": curves.calibration({"7 days": (np.arange(40) % 3 == 0, np.linspace(0, 1, 40))}),
    "amounts": pd.DataFrame({"expected": [2.0, 1.0], "actual": [2.5, 0.5]}),
    "survival": curves.survival(np.array([3.0, np.nan]), {7: np.array([0.4, 0.2])}, np.array([1.0, 12.0])),
    "gain": curves.gain(np.array([0, 1]), {"model": np.array([0.2, 0.8])}),
    "importance": pd.DataFrame({"trees": ["hazard", "rate"], "input": ["tenure_days"] * 2, "share": [0.7, 0.3]}),
    "contributions": curves.contributions(
        Contributions(np.zeros(2), pd.DataFrame({"tenure_days": [0.5, -0.5]})), pd.DataFrame({"tenure_days": [1, 9]})
    ),
}
SAYS = {
    "calibration": "7 days",
    "amounts": "expected",
    "survival": "10 to 24 (1)",
    "gain": "taken, highest scores first",
    "importance": "tenure_days",
    "contributions": "contribution to the log odds",
}


@pytest.mark.parametrize("name", sorted(plots.CHARTS))
def test_chart_is_an_svg_that_says_what_it_shows(name: str) -> None:
    drawn = plots.svg(name, FRAMES[name])
    assert SAYS[name] in "".join(ElementTree.fromstring(drawn).itertext())
    is_same = plots.svg(name, FRAMES[name]) == drawn
    assert is_same
