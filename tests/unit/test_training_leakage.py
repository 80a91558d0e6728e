"""What no model may know: the leak check names planted columns, and shuffled outcomes teach nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from training import response_propensity
from training.errors import TrainingError

N = 4000


@pytest.fixture(scope="module")
def messages() -> pd.DataFrame:
    """Messages whose response depends on loyalty; delivery is recorded for those who responded only."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "loyalty": random.exponential(2.0, N),
            "channel": random.choice(["email", "post"], N),
            "action_id": "newsletter",
            "sent_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(N) // 100, unit="D"),
        }
    )
    responded = random.random(N) < 1 / (1 + np.exp(2.5 - frame["loyalty"]))
    return frame.assign(
        responded=responded,
        customer_delivered_after_hours=np.where(responded, random.random(N), np.nan),
        offer_final_status=np.where(responded, "closed", "open"),
        customer_total_afterwards=frame["loyalty"] + 100 * responded,
    )


def fit(messages: pd.DataFrame, names: list[str], responded: np.ndarray) -> response_propensity.ResponsePropensityModel:
    return response_propensity.fit(messages[[*names, "action_id"]], responded, sent_at=messages["sent_at"], seed=1)


@pytest.mark.parametrize(
    "planted", ["customer_delivered_after_hours", "offer_final_status", "customer_total_afterwards"]
)
def test_column_recorded_after_the_outcome_is_named(messages: pd.DataFrame, planted: str) -> None:
    with pytest.raises(
        TrainingError, match=rf"^leak check: {planted} alone tells who responded \(AUC 1.000\); .*true known_at$"
    ):
        fit(messages, ["loyalty", "channel", planted], messages["responded"].to_numpy())


def test_honest_columns_pass_and_teach(messages: pd.DataFrame) -> None:
    model = fit(messages, ["loyalty", "channel"], messages["responded"].to_numpy())
    assert roc_auc_score(messages["responded"], model.predict(messages)) > 0.7


def test_shuffled_outcomes_teach_nothing(messages: pd.DataFrame) -> None:
    shuffled = np.random.default_rng(2).permutation(messages["responded"].to_numpy())
    half = N // 2
    learnt = fit(messages.head(half), ["loyalty", "channel"], shuffled[:half])
    assert roc_auc_score(shuffled[half:], learnt.predict(messages.tail(half))) == pytest.approx(0.5, abs=0.05)


def test_infinite_input_is_named(messages: pd.DataFrame) -> None:
    broken = messages.assign(loyalty=messages["loyalty"].where(messages.index != 3, np.inf))
    with pytest.raises(TrainingError, match=r"^column loyalty is infinite in row 3; expected finite numbers or nulls"):
        fit(broken, ["loyalty", "channel"], messages["responded"].to_numpy())
