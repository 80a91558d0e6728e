"""Options that several commands share, and what they are read as."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], help="Moment of prediction, 00:00 UTC; default: day after the newest event."
    ),
]
Horizons = Annotated[str, typer.Option(help="Days ahead to predict, separated by commas.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to FILE instead.")]
Wait = Annotated[
    float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait while another process writes.")
]
DEFAULT_HORIZONS = "7,14,30,60,90"
# Days. training.repurchase_timing says the same; its libraries are not loaded to print help.
LONGEST_HORIZON = 3650


def day_of(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def horizons_of(text: str) -> list[int]:
    """Days in ascending order.

    Raises:
        BadParameter: a part that is no whole number of days, or out of range.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= LONGEST_HORIZON for part in parts):
        raise typer.BadParameter(
            f"{text!r}: expected whole days from 1 to {LONGEST_HORIZON}, such as 7,14,30", param_hint="--horizons"
        )
    return sorted({int(part) for part in parts})


def write(text: str, to: Path | None) -> None:
    """On standard output, or into a file.

    Raises:
        BadParameter: no file can be written there.
    """
    if to is None:
        print(text, end="")
        return
    try:
        to.write_text(text)
    except OSError as error:
        raise typer.BadParameter(f"{to} cannot be written: {error.strerror}", param_hint="--out") from None
