"""Commands that take from a home instead of adding to it: erase and maintain."""

from typing import Annotated

import typer

from millpond.errors import TracesFound
from millpond.options import Wait
from millpond.terminal import out, progress

app = typer.Typer()


@app.command()
def erase(
    who: Annotated[list[str], typer.Argument(help="customer_id, or source_system/customer_key; several at once.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only search every file for them; remove nothing.")] = False,
    wait: Wait = 0,
) -> None:
    """Remove persons from raw files, lake, online store and logs, for ever; then prove that nothing names them."""
    from millpond import erasure, report

    names = erasure.whom(who)
    if not (yes or verify):
        typer.confirm(f"{erasure.summary(names)}. This cannot be undone. Erase?", abort=True)
    with progress("Verifying" if verify else "Erasing") as done:
        removed, left = ({}, erasure.verify(names)) if verify else erasure.erase(names, on_step=done, wait_seconds=wait)
    report.print_erasure(out, removed)
    if left:
        report.print_traces(out, left)
        raise TracesFound(f"{len(left)} places name them: " + (erasure.TO_ERASE if verify else erasure.TO_MEND))
    out.print("Every file was read: none names them.", highlight=False)


@app.command()
def maintain(
    keep_days: Annotated[int, typer.Option(min=0, help="Days for which past snapshots stay readable.")] = 30,
    wait: Wait = 0,
) -> None:
    """Merge small files, forget old snapshots, remove orphans and pack the databases."""
    from millpond import maintenance

    with progress("Maintaining") as done:
        before, after = maintenance.maintain(keep_days=keep_days, on_step=done, wait_seconds=wait)
    out.print(
        f"Lake and online store: {before.files:,} files of {before.mebibytes:,.1f} MiB before, "
        f"{after.files:,} of {after.mebibytes:,.1f} MiB after.",
        highlight=False,
    )
