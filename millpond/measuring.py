"""Commands that measure whether what was served and predicted holds: audit."""

from typing import Annotated

import typer

from millpond.errors import NotBuilt, ServedOtherwise
from millpond.terminal import out, progress

app = typer.Typer()


@app.command()
def audit(
    service: Annotated[str | None, typer.Argument(help="Feature service; default: every one that was logged.")] = None,
) -> None:
    """Compare what applications were served with what the lake holds for the same moments."""
    from millpond import auditing, features, report

    with progress("Auditing"):
        store = features.published_store()
        services = [store.get_feature_service(service)] if service else store.list_feature_services()
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
