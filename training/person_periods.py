"""Person-period rows: one row per customer, observation and bin of days at risk."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BIN_EDGES: tuple[int, ...] = (0, 3, 7, 14, 21, 30, 45, 60, 90)
"""Days after the observation date; bin i is the days >= edge i and < edge i + 1."""

N_BINS = len(BIN_EDGES) - 1
HORIZON_DAYS = BIN_EDGES[-1]

HORIZONS = (7, 14, 30, 60, 90)
"""Days that are asked for where nobody says otherwise."""


class PersonPeriods(NamedTuple):
    """Arrays of shape (n_person_periods,), ordered by row, then bin."""

    row: NDArray[np.intp]
    bin: NDArray[np.intp]
    bought: NDArray[np.bool_]


def person_periods(days_to_next: Floats, follow_up_days: Floats) -> PersonPeriods:
    """The bins in which each row was at risk, and whether it bought in them.

    A (row, bin) enters only if the bin lies wholly before the cut, and no purchase came
    before the bin. A purchase in a bin that the cut divides stays out as well: the rows
    that did not buy in the seen part are out, so letting the buyers in would lift the
    hazard of the late bins (by half on CDNOW with three observation dates).

    Args:
        days_to_next: shape (n,). Days to the next purchase; 0 is the observation date,
            nan: none seen.
        follow_up_days: shape (n,). Days 0 to follow_up_days - 1 lie before the cut.

    Source:
        Singer & Willett (1993), "It's About Time", J. Educational Statistics 18(2).
    """
    start, end = np.array(BIN_EDGES[:-1]), np.array(BIN_EDGES[1:])
    days = np.where(np.isnan(days_to_next), np.inf, days_to_next)[:, None]
    enters = (end <= follow_up_days[:, None]) & (days >= start)
    row, bin_ = np.nonzero(enters)
    return PersonPeriods(row, bin_, days[row, 0] < end[bin_])
