"""Uplift: how much more likely a customer is to respond because she is contacted.

Learnt where some messages were withheld by design. The baseline is the T-learner: the response model of those contacted
minus that of those who were not. The X-learner, the model in use, carries each arm's outcomes over to the other and
learns the differences: where few are withheld, it does not read the noise of the small arm's model as effects.

Source:
    Künzel et al. (2019), "Metalearners for Estimating Heterogeneous Treatment Effects", PNAS 116(10).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from training import leakage, response_trees
from training.boosting import minimum_leaf, raw_score, read_trees, save_trees, train_trees
from training.encoding import Encoding, learn_encoding
from training.errors import TrainingError
from training.files import reading, write_json
from training.qini import NOT_PROVEN
from training.response_trees import ResponseTrees

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MINIMUM_RESPONSES = 20
"""Fewer responses in an arm: no effect can be told from chance."""

# An effect has no linear start: it needs as many trees as the purchase rate.
ROUNDS = 150
MODEL_FILE = "uplift.json"
CONTACTED_FILE, WITHHELD_FILE = "effect_on_contacted.txt", "effect_on_withheld.txt"


class Arms(NamedTuple):
    """A response model of each arm; together the T-learner."""

    contacted: ResponseTrees
    withheld: ResponseTrees

    def uplift(self, matrix: Floats) -> Floats:
        """Difference of the two probabilities, shape (n,), for encoded inputs."""
        return np.asarray(expit(self.contacted.logits(matrix)) - expit(self.withheld.logits(matrix)))


@dataclass(frozen=True)
class UpliftModel:
    """An X-learner.

    Attributes:
        contacted, withheld: trees of the effect, learnt from each arm, added to its mean effect.
        mean_effects: of the two arms' estimates.
        contacted_share: of the messages; weighs the two estimates.
    """

    encoding: Encoding
    contacted: lgb.Booster
    withheld: lgb.Booster
    mean_effects: tuple[float, float]
    contacted_share: float
    metadata: dict[str, Any]

    @property
    def verdict(self) -> str:
        """Words of `qini.verdict` on its test; without a test nothing is proven."""
        return str(self.metadata.get("verdict") or NOT_PROVEN)

    def predict(self, inputs: pd.DataFrame) -> Floats:
        """P(response | contacted) - P(response | not contacted), shape (n,).

        Raises:
            TrainingError: a column is missing; names it.
        """
        return self.effect(self.encoding.matrix(inputs))

    def effect(self, matrix: Floats) -> Floats:
        """As `predict`, of encoded inputs (n, k)."""
        from_contacted = self.mean_effects[0] + raw_score(self.contacted, matrix)
        from_withheld = self.mean_effects[1] + raw_score(self.withheld, matrix)
        # Those withheld were compared with the model of the large arm, so where few are withheld theirs is the better.
        return self.contacted_share * from_withheld + (1 - self.contacted_share) * from_contacted


def fit_arms(matrix: Floats, responded: Flags, contacted: Flags, *, n_codes: list[int], seed: int) -> Arms:
    """The T-learner, from encoded inputs (n, k).

    Raises:
        TrainingError: an arm has fewer than MINIMUM_RESPONSES responses or refusals.
    """
    for name, arm in (("contacted", contacted), ("withheld", ~contacted)):
        rarer = int(min(responded[arm].sum(), (~responded[arm]).sum()))
        if rarer < MINIMUM_RESPONSES:
            raise TrainingError(
                f"{int(arm.sum())} {name} messages, {int(responded[arm].sum())} with a response; expected at least "
                f"{MINIMUM_RESPONSES} with and without: withhold more messages, or wait for more outcomes"
            )
    return Arms(
        *(
            response_trees.fit(matrix[arm], responded[arm], n_codes=n_codes, seed=seed)
            for arm in (contacted, ~contacted)
        )
    )


def fit(
    inputs: pd.DataFrame, responded: Flags, contacted: Flags, *, seed: int, optional: Collection[str] = ()
) -> UpliftModel:
    """Train on messages with closed outcomes, some sent and some withheld by design.

    Args:
        inputs: numeric and text columns, known when the message was sent or withheld.
        responded, contacted: shape (n,).
        seed: of the trees' sampling of rows and columns.
        optional: columns that may be absent at predict, such as expanded attributes.

    Raises:
        TrainingError: as `fit_arms`, or an input that tells the outcome.
    """
    encoding = learn_encoding(inputs, optional)
    matrix = encoding.matrix(inputs)
    leakage.check(list(encoding.categories), matrix, responded, n_codes=encoding.n_codes)
    arms = fit_arms(matrix, responded, contacted, n_codes=encoding.n_codes, seed=seed)
    gained = responded[contacted] - expit(arms.withheld.logits(matrix[contacted]))
    missed = expit(arms.contacted.logits(matrix[~contacted])) - responded[~contacted]
    metadata = {"contacted": int(contacted.sum()), "withheld": int((~contacted).sum()), "seed": seed}
    return UpliftModel(
        encoding,
        _effect_trees(matrix[contacted], gained, encoding.n_codes, seed),
        _effect_trees(matrix[~contacted], missed, encoding.n_codes, seed),
        (float(gained.mean()), float(missed.mean())),
        float(contacted.mean()),
        metadata,
    )


def _effect_trees(matrix: Floats, effect: Floats, n_codes: list[int], seed: int) -> lgb.Booster:
    return train_trees(
        matrix,
        effect,
        rounds=ROUNDS,
        start=np.full(len(effect), effect.mean()),
        seed=seed,
        names=[f"input_{position}" for position in range(matrix.shape[1])],
        parameters={"objective": "regression", "min_data_in_leaf": minimum_leaf(len(effect))},
        categorical=[position for position, n in enumerate(n_codes) if n],
    )


def save(model: UpliftModel, folder: Path) -> None:
    """Write JSON and LightGBM text into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_trees(model.contacted, folder / CONTACTED_FILE)
    save_trees(model.withheld, folder / WITHHELD_FILE)
    plain = {
        "metadata": model.metadata,
        "columns": [[name, known] for name, known in model.encoding.categories.items()],
        "optional": sorted(model.encoding.optional),
        "mean_effects": list(model.mean_effects),
        "contacted_share": model.contacted_share,
    }
    write_json(plain, folder / MODEL_FILE)


def load(folder: Path) -> UpliftModel:
    """The model that `save` wrote; its scores are equal to the last bit.

    Raises:
        TrainingError: there is no model in `folder`.
    """
    with reading(folder / MODEL_FILE) as plain:
        first, second = plain["mean_effects"]
        return UpliftModel(
            Encoding(dict(plain["columns"]), frozenset(plain["optional"])),
            read_trees(folder / CONTACTED_FILE),
            read_trees(folder / WITHHELD_FILE),
            (first, second),
            plain["contacted_share"],
            plain["metadata"],
        )
