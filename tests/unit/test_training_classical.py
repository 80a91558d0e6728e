"""Pareto/NBD, MBG/NBD and gamma-gamma: published figures, limits and messages."""

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from training import gamma_gamma, mbg_nbd, pareto_nbd
from training.errors import TrainingError
from training.gamma_gamma import GammaGamma
from training.mbg_nbd import MbgNbd
from training.pareto_nbd import ParetoNbd

PARETO = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)
MBG = MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614)
MODELS: list[tuple[ModuleType, Any, float]] = [(pareto_nbd, PARETO, -9595.0), (mbg_nbd, MBG, -9582.1)]


def packaged(name: str) -> pd.DataFrame:
    """A file of the package lifetimes, found without importing it."""
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        pytest.skip("lifetimes is not installed: pip install millpond[demo]")
    return pd.read_csv(Path(spec.origin).parent / "datasets" / name)


@pytest.fixture(scope="module")
def cdnow_sample() -> list[np.ndarray]:
    """x, t_x and T of 2,357 customers of the CDNOW 1/10 sample, weeks 1 to 39."""
    rows = packaged("cdnow_customers_summary.csv")
    return [rows[name].to_numpy() for name in ("frequency", "recency", "T")]


@pytest.mark.parametrize(("model", "published", "likelihood"), MODELS)
def test_parameters_of_the_cdnow_sample_are_the_published_ones(
    model: ModuleType, published: tuple[float, ...], likelihood: float, cdnow_sample: list[np.ndarray]
) -> None:
    params = model.fit(*cdnow_sample)
    assert params == pytest.approx(published, abs=2e-3)
    assert model.log_likelihood(params, *cdnow_sample) == pytest.approx(likelihood, abs=0.05)


def test_unit_of_time_changes_alpha_and_beta_only(cdnow_sample: list[np.ndarray]) -> None:
    x, t_x, tenure = cdnow_sample
    in_weeks, in_days = pareto_nbd.fit(x, t_x, tenure), pareto_nbd.fit(x, t_x * 7, tenure * 7)
    same = in_days._replace(alpha=in_days.alpha / 7, beta=in_days.beta / 7)
    assert same == pytest.approx(in_weeks, rel=1e-3)


def test_prediction_for_a_published_customer() -> None:
    # lifetimes 0.11.3, ParetoNBDFitter and ModifiedBetaGeoFitter on the sample: customer 0001 over the next 39 weeks.
    assert pareto_nbd.expected_purchases(PARETO, [2], [30.43], [38.86], 39)[0] == pytest.approx(1.4551, abs=1e-3)
    assert pareto_nbd.p_alive(PARETO, [2], [30.43], [38.86])[0] == pytest.approx(0.8691, abs=1e-3)
    assert mbg_nbd.expected_purchases(MBG, [2], [30.43], [38.86], 39)[0] == pytest.approx(1.2627, abs=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(10.0, 4.0), (4.0, 10.0), (7.0, 7.0)])
def test_likelihood_equals_the_integral_over_the_time_of_leaving(alpha: float, beta: float) -> None:
    r, s, x, t_x, tenure = 0.6, 0.7, 3, 11.0, 30.0
    left, _ = quad(lambda t: s * (alpha + t) ** -(r + x) * (beta + t) ** -(s + 1), t_x, tenure)
    alive = (alpha + tenure) ** -(r + x) * (beta + tenure) ** -s
    params = ParetoNbd(r, alpha, s, beta)
    assert pareto_nbd.p_alive(params, [x], [t_x], [tenure])[0] == pytest.approx(alive / (alive + left), rel=1e-9)


@pytest.mark.parametrize(("model", "params"), [case[:2] for case in MODELS])
@given(
    x=st.integers(0, 300),
    share=st.floats(0, 1),
    tenure=st.floats(0.1, 1000),
    horizons=st.lists(st.floats(0.01, 2000), min_size=2, max_size=4),
)
def test_purchase_probability_rises_to_being_alive(
    model: ModuleType, params: Any, x: int, share: float, tenure: float, horizons: list[float]
) -> None:
    history = ([x], [share * tenure if x else 0.0], [tenure])
    alive = model.p_alive(params, *history)[0]
    probabilities = [model.probability_of_purchase(params, *history, h)[0] for h in sorted(horizons)]
    assert (np.diff(probabilities) >= -1e-12).all()
    assert -1e-12 <= probabilities[0] <= probabilities[-1] + 1e-12 <= alive + 2e-12 <= 1 + 2e-12
    assert model.expected_purchases(params, *history, max(horizons))[0] >= probabilities[-1] * (1 - 1e-6)


def test_one_time_buyers_can_have_left() -> None:
    for model, params, _ in MODELS:
        soon, late = model.p_alive(params, [0, 0], [0, 0], [1.0, 100.0])
        assert late < soon < 1


@pytest.mark.parametrize(("model", "name"), [(pareto_nbd, "Pareto/NBD"), (mbg_nbd, "MBG/NBD")])
def test_nobody_bought_twice_is_one_line(model: ModuleType, name: str) -> None:
    with pytest.raises(TrainingError, match=rf"^2 customers, none with a second purchase day; {name} needs .*period$"):
        model.fit([0, 0], [0, 0], [1, 2])


def test_infinite_tenure_names_its_row() -> None:
    with pytest.raises(TrainingError, match=r"^row 1: x=0, t_x=0, T=inf; expected"):
        pareto_nbd.p_alive(PARETO, [0, 0], [0, 0], [3, np.inf])


def test_values_of_the_cdnow_sample_are_as_published() -> None:
    # Fader & Hardie (2013): p 6.25, q 3.74, v 15.44; the mean of all is p v / (q - 1).
    rows = packaged("cdnow_customers_summary_with_transactions.csv")
    params = gamma_gamma.fit(rows["x"], rows["zbar"])
    assert params == pytest.approx((6.25, 3.74, 15.44), abs=0.02)
    assert gamma_gamma.expected_value(params, [0], [np.nan])[0] == pytest.approx(35.2, abs=0.1)


@given(count=st.integers(1, 1000), mean=st.floats(0, 1e5))
def test_expected_value_lies_between_own_mean_and_that_of_all(count: int, mean: float) -> None:
    params = GammaGamma(6.25, 3.74, 15.44)
    everyone = gamma_gamma.expected_value(params, [0], [0])[0]
    expected = gamma_gamma.expected_value(params, [count], [mean])[0]
    assert min(mean, everyone) - 1e-6 <= expected <= max(mean, everyone) + 1e-6


def test_values_without_a_mean_are_refused_when_fitted() -> None:
    # Five purchases each, of a gamma-gamma with q 0.6.
    random = np.random.default_rng(1)
    values = random.gamma(5 * 6, size=2000) / (5 * random.gamma(0.6, size=2000))
    with pytest.raises(TrainingError, match=r"^gamma-gamma q is 0\.\d+; expected above 1: values are too uneven"):
        gamma_gamma.fit(np.full(2000, 5), values)


def test_unknown_values_are_one_line() -> None:
    with pytest.raises(TrainingError, match=r"^1 customers with purchases of a value above 0; expected at least 30"):
        gamma_gamma.fit([1, 2, 0], [5.0, 0.0, np.nan])
