"""Predictions taken apart: how much each input adds to the log odds, or takes from them.

Of trees these are LightGBM's own contributions (SHAP values); of the linear part, what each input adds beyond that of a
customer with average inputs. Together they are the log odds, exactly. They say what the model leans on, not what would
happen if an input were changed.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.columns import numbers
from training.errors import TrainingError
from training.repurchase_timing import RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel
from training.timing_trees import FEATURES

Floats = NDArray[np.float64]

TIMING_HORIZON = 30


class Contributions(NamedTuple):
    """Of n predictions.

    Attributes:
        base: shape (n,). Log odds where every input is average.
        by_input: shape (n, k), one column per input. base and its row add up to the log odds.
    """

    base: Floats
    by_input: pd.DataFrame

    @property
    def log_odds(self) -> Floats:
        """Shape (n,)."""
        return np.asarray(self.base + self.by_input.to_numpy().sum(axis=1))


def of_timing(model: RepurchaseTimingModel, features: pd.DataFrame, *, horizon: int = TIMING_HORIZON) -> Contributions:
    """Why customers will buy again soon, or not.

    A probability within a horizon is chained from the hazards of its bins and has no parts that add up; the log odds of
    the hazards have. So it is their mean over the bins that begin within the horizon that is taken apart. What trees
    say of the days that will have passed at a bin is said of the days that have passed.

    Raises:
        TrainingError: the model is the BG/NBD alone, or a column is missing.
    """
    if model.trees is None:
        raise TrainingError("the BG/NBD alone has no contributions; expected a model with trees: train on more")
    base, terms = model.trees.hazard_terms(numbers(features, FEATURES), horizon)
    return Contributions(base, pd.DataFrame(terms, columns=list(FEATURES), index=features.index))


def of_response(model: ResponsePropensityModel, inputs: pd.DataFrame) -> Contributions:
    """Why a message is answered, or not: the log odds of the calibrated probability, taken apart.

    Raises:
        TrainingError: a column is missing; names it.
    """
    constant, terms = model.trees.terms(model.encoding.matrix(inputs))
    line = model.calibration
    base = np.full(len(inputs), line.intercept + line.slope * constant)
    by_input = pd.DataFrame(line.slope * terms, columns=list(model.encoding.categories), index=inputs.index)
    return Contributions(base, by_input)
