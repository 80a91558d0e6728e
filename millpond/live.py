"""Commands between builds: record events, watch the features drift, audit what was served."""

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from millpond.errors import BadEvent, FeatureDrift, NotBuilt, ServedOtherwise
from millpond.options import Wait
from millpond.terminal import out, progress

app = typer.Typer()


@app.command()
def record(
    kind: Annotated[str, typer.Argument(help="purchase, click, visit or unsubscribe.")],
    file: Annotated[Path, typer.Argument(help="FILE.json (a list), .csv or .parquet with rows of the raw contract.")],
) -> None:
    """Land events in raw and refresh the online features of their customers at once."""
    from millpond import events

    with progress("Recording"):
        recorded = events.record(kind, _rows(file))
    waiting = "".join(f"; {count:,} wait for the next build: {why}" for why, count in recorded.waiting.items())
    out.print(
        f"Recorded {recorded.landed:,} events of kind {kind}, refreshed {recorded.pushed:,} customers online{waiting}.",
        highlight=False,
        soft_wrap=True,
    )


def _rows(file: Path) -> list[dict[str, Any]]:
    """Rows of a file; in CSV, nothing is null.

    Raises:
        BadEvent: the file is not there, or not what its name says.
    """
    import pyarrow.parquet as pq

    try:
        match file.suffix:
            case ".json":
                rows = json.loads(file.read_text())
            case ".csv":
                rows = [
                    {name: value or None for name, value in row.items()}
                    for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
                ]
            case ".parquet":
                rows = pq.read_table(file).to_pylist()
            case _:
                raise ValueError("expected .json, .csv or .parquet")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected a list of objects")
    except (OSError, ValueError, csv.Error) as error:
        raise BadEvent(f"{file} holds no events: {error}; nothing was recorded") from None
    return rows


@app.command()
def drift(
    threshold: Annotated[float, typer.Option(min=0, help="A feature with a higher PSI is drifted.")] = 0.25,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A feature that may drift, as tenure_days does; may be given again.")
    ] = None,
    wait: Wait = 0,
) -> None:
    """Compare the newest features with those that the models learnt on (PSI) and write measurement.feature_drift."""
    from millpond import drift as drifting
    from millpond import report

    with progress("Comparing") as done:
        found = drifting.measure(threshold=threshold, wait_seconds=wait, on_view=done)
    report.print_drift(out, found)
    if drifted := [row for row in found if row.is_drifted and row.feature not in (ignore or [])]:
        raise FeatureDrift(
            f"{len(drifted)} of {len(found)} features drifted beyond {threshold:g}, most {drifted[0].feature_view}."
            f"{drifted[0].feature}: mend its source, or train again if customers changed (measurement.feature_drift)"
        )


@app.command()
def audit(
    name: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="Feature service; default: every one that was logged.")
    ] = None,
) -> None:
    """Compare what applications were served with what the lake holds for the same moments."""
    from millpond import auditing, features, report

    with progress("Auditing"):
        store = features.published_store()
        services = [features.service(store, name)] if name else store.list_feature_services()
        audited = auditing.audit(store, services)
    if not audited:
        raise NotBuilt("nothing that was served was logged: open a reader with is_logged=True")
    report.print_audit(out, audited)
    wrong = sorted({f"{one.service}:{one.feature}" for one in audited if one.wrong})
    if wrong:
        raise ServedOtherwise(
            f"{len(wrong)} features were served with other values than the lake holds: {', '.join(wrong)}; "
            "run `millpond publish`, and if it is said again, look at the examples above"
        )
