"""What a test out of time gave."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from training.evaluation import Interval


class Figures(NamedTuple):
    """What a test gave.

    Attributes:
        test: what was tested, in words.
        scores: for the model and each baseline, figure → value.
        gains: for each baseline, the share by which the model's loss is lower, with its 95 % interval.
        loss: which loss.
        groups: `ranking.rank_table` of the test; empty: not of this model.
        contacts: how many of the test are worth contacting, for each value and cost; empty: not of this model.
        curves: frames of `training.curves`, by the name of their chart.
        intervals: 95 % intervals over customers of figures of the model itself.
        verdict: words of `qini.verdict`; None: not of this model.
    """

    test: str
    scores: dict[str, dict[str, float]]
    gains: dict[str, Interval]
    loss: str = "log loss"
    groups: Sequence[Mapping[str, float]] = ()
    contacts: Sequence[Mapping[str, Any]] = ()
    curves: Mapping[str, pd.DataFrame] = MappingProxyType({})
    intervals: Mapping[str, Interval] = MappingProxyType({})
    verdict: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the curves."""
        plain = {name: value for name, value in self._asdict().items() if name != "curves"}
        return {**plain, "intervals": dict(self.intervals)}
