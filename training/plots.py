"""Charts of a test and of a model; each takes a frame of `training.curves`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from training.curves import ACTUAL, PREDICTED

SIZE = {"width": 260, "height": 220}
PERCENT = alt.Axis(format="%")
Chart = Any


def svg(name: str, frame: pd.DataFrame) -> str:
    """A chart of CHARTS, drawn without a network; the same frame gives the same text."""
    drawn = vl_convert.vegalite_to_svg(CHARTS[name](frame).to_json(), allowed_base_urls=[])
    # Vega counts the gradients of a process.
    return re.sub(r"gradient_\d+", "gradient", drawn)


def calibration(frame: pd.DataFrame) -> Chart:
    """Predicted beside actual rates with their 95 % intervals and counts; on the diagonal they agree."""
    x = alt.X("predicted:Q", axis=PERCENT, title="predicted")
    base = alt.Chart(frame).encode(x=x)
    points = base.mark_point(filled=True, size=40).encode(y=alt.Y("actual:Q", axis=PERCENT, title="actual"))
    intervals = base.mark_rule().encode(y="low:Q", y2="high:Q")
    counts = base.mark_text(align="left", dx=6, dy=8, fontSize=8).encode(
        y="actual:Q", text=alt.Text("rows:Q", format=",")
    )
    diagonal = alt.Chart(frame).mark_line(strokeDash=[4, 4], color="grey").encode(x=x, y="predicted:Q")
    return alt.layer(diagonal, intervals, points, counts).properties(**SIZE).facet(column=_panel("panel", frame))


def amounts(frame: pd.DataFrame) -> Chart:
    """Expected beside actual means of tenths; on the diagonal they agree."""
    x = alt.X("expected:Q")
    points = alt.Chart(frame).mark_point(filled=True, size=40).encode(x=x, y="actual:Q")
    diagonal = alt.Chart(frame).mark_line(strokeDash=[4, 4], color="grey").encode(x=x, y="expected:Q")
    return alt.layer(diagonal, points).properties(**SIZE)


def survival(frame: pd.DataFrame) -> Chart:
    """Share without a purchase: predicted as a line, actual as points, one colour per segment."""
    base = alt.Chart(frame).encode(
        x=alt.X("day:Q", title="days from the test date"),
        y=alt.Y("share:Q", axis=PERCENT, title="have not bought again"),
        color=alt.Color("segment:N", sort=_order("segment", frame), title="purchase days so far (customers)"),
    )
    lines = base.mark_line().transform_filter(alt.datum.who == PREDICTED)
    points = base.mark_point(filled=True, size=40).transform_filter(alt.datum.who == ACTUAL)
    return alt.layer(lines, points).properties(width=420, height=280)


def gain(frame: pd.DataFrame) -> Chart:
    """What those with the highest scores bring, beside as many at random."""
    end = frame["gained"][frame["taken"] == 1].iloc[0]
    random = alt.Chart(pd.DataFrame({"taken": [0, 1], "gained": [0, end]})).mark_line(strokeDash=[4, 4], color="grey")
    x, y = alt.X("taken:Q", axis=PERCENT, title="taken, highest scores first"), alt.Y("gained:Q", title="gained")
    lines = alt.Chart(frame).mark_line().encode(color=alt.Color("who:N", sort=_order("who", frame), title=None))
    return alt.layer(random, lines).encode(x=x, y=y).properties(width=360, height=300)


def importance(frame: pd.DataFrame) -> Chart:
    """Share of the gain of all splits; it leaves out what the linear part says."""
    bars = (
        alt.Chart()
        .mark_bar()
        .encode(x=alt.X("share:Q", axis=PERCENT, title="share of gain"), y=alt.Y("input:N", sort="-x", title=None))
    )
    return alt.layer(bars, data=frame).facet(column=_panel("trees", frame)).resolve_scale(y="independent")


def contributions(frame: pd.DataFrame) -> Chart:
    """One point per row and input: right of 0 it makes the outcome likelier; dark where the value is high."""
    # Points of one input lie beside each other in an order that has nothing to do with them.
    spread = np.random.default_rng(0).permutation(len(frame)) / len(frame)
    return (
        alt.Chart(frame.assign(spread=spread))
        .mark_circle(size=10, aria=False)
        .encode(
            x=alt.X("contribution:Q", title="contribution to the log odds"),
            y=alt.Y("input:N", sort=_order("input", frame), title=None),
            yOffset=alt.YOffset("spread:Q"),
            color=alt.Color("height:Q", scale=alt.Scale(scheme="viridis", reverse=True), title="value, low to high"),
        )
        .properties(width=420, height=alt.Step(22))
    )


CHARTS: Mapping[str, Callable[[pd.DataFrame], Chart]] = {
    draw.__name__: draw for draw in (calibration, amounts, survival, gain, importance, contributions)
}


def _order(column: str, frame: pd.DataFrame) -> list[str]:
    """As in the frame, not by the alphabet."""
    return list(frame[column].unique())


def _panel(column: str, frame: pd.DataFrame) -> alt.Column:
    return alt.Column(f"{column}:N", sort=_order(column, frame), title=None)
