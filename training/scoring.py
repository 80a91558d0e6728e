"""One customer at a time, for serving: both models loaded once, plain values in, the numbers of the batch out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import repurchase_timing, response_propensity
from training.affinity import AFFINITY
from training.attributes import as_number, as_text, days_at, days_of, parsed
from training.columns import numbers, require, require_finite
from training.errors import TrainingError
from training.person_periods import HORIZONS
from training.repurchase_timing import HISTORY, KNOWN_DAYS, RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel

Floats = NDArray[np.float64]


class Offer(NamedTuple):
    """What a customer might be offered.

    Attributes:
        features: of the service response_propensity, for the customer and this channel; one mapping may serve several.
        attributes: of the offer, as a JSON object in text; None: none.
        affinity: AFFINITY, as predictions.response_propensity holds them for the customer and action; None: not known.
        sent_at: when it would be sent, UTC: dates among its attributes count from then; None: at the moment of scoring.
    """

    action_id: str
    channel: str
    features: Mapping[str, Any]
    attributes: str | None = None
    affinity: tuple[float | None, float | None] = (None, None)
    sent_at: datetime | None = None


class CustomerScores(NamedTuple):
    """What `Scorer.score` says.

    Attributes:
        timing: p_repurchase_{h}d and expected_purchases_{h}d for each horizon, median_days_to_repurchase (nan: beyond
            the longest), p_alive (nan: the customer never bought); None: nothing is known of her, or she never bought,
            and the model knows nobody who had not.
        response: shape (n_offers,). Chance of a response to each offer, in their order.
        response_low, response_high: shape (n_offers,). 95 % interval of it; nan: the action was tried.
    """

    timing: dict[str, float] | None
    response: Floats
    response_low: Floats
    response_high: Floats


@dataclass(frozen=True)
class Scorer:
    """Both models; load once, then call from any thread."""

    timing: RepurchaseTimingModel
    response: ResponsePropensityModel

    @classmethod
    def load(cls, timing_folder: Path, response_folder: Path) -> "Scorer":
        """From the folders of two versions.

        Raises:
            TrainingError: there is no model in a folder.
        """
        return cls(repurchase_timing.load(timing_folder), response_propensity.load(response_folder))

    def score(
        self,
        features: Mapping[str, Any],
        offers: Sequence[Offer],
        *,
        horizons: Sequence[int] = HORIZONS,
        at: datetime | None = None,
    ) -> CustomerScores:
        """When the customer buys again, and which of the offers she would accept.

        Args:
            features: of the service repurchase_timing, as a reader gives them; None: not known.
            offers: any number.
            horizons: days from the observation date on.
            at: the moment as of which the features are, UTC: dates in attributes count from it; None: there are none.

        Raises:
            TrainingError: a feature is missing, infinite or of a wrong type, a horizon is out of range, or there is a
                date and no moment that it counts from.
        """
        return CustomerScores(self._timing(features, horizons), *self._response(offers, at))

    def _timing(self, features: Mapping[str, Any], horizons: Sequence[int]) -> dict[str, float] | None:
        history = _row(features, HISTORY)
        if not np.isnan(history[HISTORY.index("frequency")]):
            values = _row(features, self.timing.metadata["features"])
            scores = self.timing.scores(values[None, :], history[:, None], horizons)
        elif self.timing.first_purchase and not np.isnan(known_days := _row(features, [KNOWN_DAYS])):
            scores = self.timing.first_scores(known_days, horizons)
        else:
            return None
        return {name: float(score[0]) for name, score in scores.items()}

    def _response(self, offers: Sequence[Offer], at: datetime | None) -> tuple[Floats, Floats, Floats]:
        if not offers:
            return np.empty(0), np.empty(0), np.empty(0)
        encoding = self.response.encoding
        texts = frozenset(encoding.texts)
        # Offers on one channel share all but a few columns.
        distinct = {id(offer.features): offer.features for offer in offers}
        customers = {key: encoding.row(_of_customer(features, texts, at)) for key, features in distinct.items()}
        rows = [encoding.with_values(customers[id(offer.features)], _of_offer(offer, texts, at)) for offer in offers]
        propensity, low, high = self.response.scores(np.stack(rows))
        return propensity, low, high


def _of_customer(features: Mapping[str, Any], texts: frozenset[str], at: datetime | None) -> dict[str, Any]:
    attributes = _attributes(features.get("attributes"), "customer", texts, at)
    # A reader gives no keys, and the channel is the offer's.
    return {**features, **attributes, **dict.fromkeys(AFFINITY), "action_id": None, "channel": None}


def _of_offer(offer: Offer, texts: frozenset[str], at: datetime | None) -> dict[str, Any]:
    own = {"action_id": offer.action_id, "channel": offer.channel, **dict(zip(AFFINITY, offer.affinity, strict=True))}
    return {**_attributes(offer.attributes, "offer", texts, offer.sent_at or at), **own}


def _attributes(text: str | None, prefix: str, texts: frozenset[str], moment: datetime | None) -> Mapping[str, Any]:
    """As `expand_attributes`, of one text."""
    values, dates = _read(text, prefix, texts)
    if not dates:
        return values
    if moment is None:
        raise TrainingError(f"{dates[0]} is a date; expected the moment that it counts from: give Scorer.score `at`")
    today = days_at(moment)
    return {**values, **{name: values[name] - today for name in dates}}


# The same few offers come again and again.
@lru_cache(maxsize=10_000)
def _read(text: str | None, prefix: str, texts: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    """Values by the model's name for them, and which are dates, in days since 1970-01-01."""
    found = {f"{prefix}_{key}": value for key, value in parsed(text, prefix).items()}
    values = {name: as_text(value) if name in texts else as_number(value) for name, value in found.items()}
    return values, [name for name, value in found.items() if name not in texts and days_of(value) is not None]


def _row(features: Mapping[str, Any], names: Sequence[str]) -> Floats:
    """Shape (n_names,); None becomes nan."""
    require(features, names)
    values = [np.nan if features[name] is None else features[name] for name in names]
    try:
        row = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        # Slower, but it knows more nulls, and names what is no number.
        row = numbers(pd.DataFrame([values], columns=list(names)), names).ravel()
    for name, value in zip(names, row, strict=True):
        if np.isinf(value):
            require_finite(name, np.array([value]))
    return row
