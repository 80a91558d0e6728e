"""Response propensity: the probability of a response to a message, if it is sent.

Learnt on the customer as of the sending, the action, the channel and whatever
attributes there are; calibrated out of fold on the newest messages.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from training import leakage, level, response_trees, untried
from training.boosting import read_trees, save_trees
from training.calibration import IDENTITY, SMALLEST_SLOPE, Line, fit_line
from training.columns import require
from training.encoding import MISSING_CODE, Encoding, learn_encoding
from training.errors import TrainingError
from training.files import reading, write_json
from training.level import Level
from training.response_trees import ResponseTrees
from training.untried import Spread

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WINDOW_SHARE = 0.25
"""The calibration window: the newest sending times with this share of the messages."""

MINIMUM_RESPONSES = 20
"""Fewer responses, or refusals, in the window: no calibration."""

FOLDS = 5
PRIOR_WEIGHT = 4.0
"""Calibration starts from none, as if slope and intercept had 0.5 standard error."""

ACTION, CHANNEL = "action_id", "channel"

METHOD = "Regression refined by small trees"
METHOD_SMALL = f"Regression alone: fewer than {response_trees.MINIMUM_RESPONSES} responses to learn from"

MODEL_FILE = "response_propensity.json"
TREES_FILE = "response_trees.txt"


@dataclass(frozen=True)
class ResponsePropensityModel:
    """A fitted model.

    Attributes:
        metadata: from what it was fitted, and on which window calibrated.
        spread: how far actions lie from the fallback that judges one never tried.
    """

    encoding: Encoding
    trees: ResponseTrees
    calibration: Line
    metadata: dict[str, Any]
    spread: Spread

    @property
    def level(self) -> Level | None:
        """Of the newest messages it was calibrated on, beside what older ones let expect; None: too few to tell."""
        known = self.metadata.get("level")
        return Level(**known) if known else None

    def predict(self, inputs: pd.DataFrame) -> Floats:
        """Probability of a response to each message, shape (n,).

        An action, channel or other text never seen in training counts as missing, and
        is judged by the other inputs.

        Raises:
            TrainingError: a column is missing; names it.
        """
        return np.asarray(expit(self.log_odds(self.encoding.matrix(inputs))))

    def log_odds(self, matrix: Floats) -> Floats:
        """Of a response, shape (n,), of encoded inputs (n, k)."""
        return self.calibration.log_odds(self.trees.logits(matrix))

    def scores(self, matrix: Floats) -> Floats:
        """As `predict`, with the lowest and the highest chance (95 %), shape (3, n), of encoded inputs (n, k).

        Only of actions never tried there is an interval; nan: the action was tried.
        """
        log_odds = self.log_odds(matrix)
        is_new = {name: matrix[:, self.encoding.position(name)] == MISSING_CODE for name in (ACTION, CHANNEL)}
        interval = self.spread.interval(log_odds, is_new_action=is_new[ACTION], is_new_channel=is_new[CHANNEL])
        return np.stack([expit(log_odds), *interval])


def fit(
    inputs: pd.DataFrame,
    responded: NDArray[np.bool_],
    *,
    sent_at: pd.Series,
    seed: int,
    optional: Collection[str] = (),
) -> ResponsePropensityModel:
    """Train on messages whose outcome is closed.

    Args:
        inputs: numeric and text columns, known when the message was sent; among them action_id and channel.
        responded: shape (n,).
        sent_at: shape (n,). When each message was sent; decides the newest window.
        seed: of the trees' sampling of rows and columns.
        optional: columns that may be absent at predict, such as expanded attributes.

    Raises:
        TrainingError: no rows, rows that don't match, all answers are the same, or an input that tells them.
    """
    responded = np.asarray(responded, dtype=bool)
    require(inputs, (ACTION, CHANNEL))
    _check_rows(inputs, responded, sent_at)
    encoding = learn_encoding(inputs, optional)
    matrix = encoding.matrix(inputs)
    leakage.check(list(encoding.categories), matrix, responded, n_codes=encoding.n_codes)
    newest = newest_window(pd.to_datetime(sent_at, utc=True).dt.tz_localize(None).to_numpy())
    found = level.of_newest(matrix, responded, newest, sent_at, n_codes=encoding.n_codes, seed=seed)
    has_drifted = found is not None and found.has_drifted
    line = IDENTITY
    if is_calibrated := has_drifted or _rarer_outcome(responded[newest]) >= MINIMUM_RESPONSES:
        logits = _out_of_fold_logits(matrix, responded, newest, encoding.n_codes, seed)
        line = (
            level.line_to(logits, responded[newest])
            if has_drifted
            else fit_line(logits, responded[newest], smallest_slope=SMALLEST_SLOPE, prior_weight=PRIOR_WEIGHT)
        )
    trees = response_trees.fit(matrix, responded, n_codes=encoding.n_codes, seed=seed)
    metadata = {
        "method": METHOD if trees.booster else METHOD_SMALL,
        "rows": len(inputs),
        "responses": int(responded.sum()),
        "seed": seed,
        "is_calibrated": is_calibrated,
        "calibration_rows": int(newest.sum()),
        "calibration_sent_from": str(sent_at[newest].min()),
        "calibration_sent_to": str(sent_at[newest].max()),
        "level": found._asdict() if found else None,
    }
    spread = untried.learn_spread(
        matrix,
        responded,
        lambda masked: line.log_odds(trees.logits(masked)),
        action=encoding.position(ACTION),
        channel=encoding.position(CHANNEL),
    )
    return ResponsePropensityModel(encoding, trees, line, metadata, spread)


def at_level(
    model: ResponsePropensityModel, inputs: pd.DataFrame, responded: Flags, *, sent_at: pd.Series
) -> tuple[Level, ResponsePropensityModel]:
    """Compare the level of messages whose outcomes closed since the model learnt, and bring the model to it.

    Args:
        inputs, responded, sent_at: as `fit`; n > 0.

    Returns:
        The level, and a model recalibrated on these messages where it has drifted, the same model otherwise.
    """
    log_odds = model.log_odds(model.encoding.matrix(inputs))
    found = level.compare(expit(log_odds), responded, sent_at)
    if not found.has_drifted:
        return found, model
    line = level.line_to(log_odds, responded).after(model.calibration)
    return found, replace(model, calibration=line, metadata={**model.metadata, "level": found._asdict()})


def newest_window(sent: NDArray[np.datetime64]) -> Flags:
    """The newest WINDOW_SHARE of the messages; equal times stay together."""
    window: Flags = sent >= np.sort(sent)[int(len(sent) * (1 - WINDOW_SHARE))]
    return window


def _out_of_fold_logits(matrix: Floats, responded: Flags, newest: Flags, n_codes: list[int], seed: int) -> Floats:
    """Log odds of the newest rows by models that saw all other rows, in order.

    Folds of the newest rows, rather than a model of the older rows only: the model in
    use knows the newest level, and would be shifted to it twice.
    """
    rows = np.flatnonzero(newest)
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    logits = np.empty(len(rows))
    for held_out in range(FOLDS):
        unseen = rows[fold == held_out]
        seen = np.setdiff1d(np.arange(len(matrix)), unseen)
        trees = response_trees.fit(matrix[seen], responded[seen], n_codes=n_codes, seed=seed)
        logits[fold == held_out] = trees.logits(matrix[unseen])
    return logits


def _check_rows(inputs: pd.DataFrame, responded: Flags, sent_at: pd.Series) -> None:
    if not len(inputs) == len(responded) == len(sent_at):
        raise TrainingError(
            f"{len(inputs)} inputs, {len(responded)} outcomes, {len(sent_at)} times; "
            "expected as many of each: join them before training"
        )
    if _rarer_outcome(responded) == 0:
        raise TrainingError(
            f"{len(responded)} messages, {int(responded.sum())} with a response; "
            "expected some with and some without: wait for more closed outcomes"
        )


def _rarer_outcome(responded: Flags) -> int:
    """The smaller of the numbers of responses and of refusals."""
    return int(min(responded.sum(), (~responded).sum()))


def save(model: ResponsePropensityModel, folder: Path) -> None:
    """Write JSON and LightGBM text into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if model.trees.booster:
        save_trees(model.trees.booster, folder / TREES_FILE)
    plain = {
        "metadata": model.metadata,
        "columns": [[name, known] for name, known in model.encoding.categories.items()],
        "optional": sorted(model.encoding.optional),
        "trees": model.trees.to_json(),
        "calibration": model.calibration._asdict(),
        "spread": model.spread._asdict(),
    }
    write_json(plain, folder / MODEL_FILE)


def load(folder: Path) -> ResponsePropensityModel:
    """The model that `save` wrote; its scores are equal to the last bit.

    Raises:
        TrainingError: there is no model in `folder`.
    """
    file = folder / TREES_FILE
    with reading(folder / MODEL_FILE) as plain:
        booster = read_trees(file) if plain["metadata"]["method"] == METHOD or file.exists() else None
        return ResponsePropensityModel(
            Encoding(dict(plain["columns"]), frozenset(plain["optional"])),
            ResponseTrees.from_json(plain["trees"], booster),
            Line(**plain["calibration"]),
            plain["metadata"],
            Spread(**plain.get("spread", {})),
        )
