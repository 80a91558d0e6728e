"""Commands on models that were trained before: list, promote, compare, rank and explain."""

from typing import Annotated

import typer

from millpond.terminal import out

app = typer.Typer(help="List, promote, compare and question trained models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="repurchase_timing, customer_value, response_propensity or uplift.")]


@app.command("list")
def list_versions() -> None:
    """Every trained version, newest as-of date first; * is in use."""
    from millpond import models

    for version in models.versions():
        mark = "*" if version.is_current else " "
        out.print(f"{mark} {version.name} {version.version}  {version.summary}", highlight=False, soft_wrap=True)


@app.command()
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="Such as 2018-01-02-1f0c9a2b, from `millpond models list`.")],
) -> None:
    """Use another version from the next scoring on."""
    from millpond import models

    before = models.promote(name, version)
    out.print(f"{name} {version} is in use, before it {before}: run `millpond score`.", highlight=False, soft_wrap=True)


@app.command()
def rank(
    name: Annotated[str, typer.Argument(help="response_propensity or uplift.")],
    value: Annotated[float, typer.Option(min=0, help="What a response is worth.")],
    cost: Annotated[float, typer.Option(min=0, help="What a contact costs, in the same unit.")],
) -> None:
    """Tenths of the test by score, and how many customers are worth contacting at a value and a cost."""
    from millpond import models, report

    report.print_ranking(out, models.rank(name, value=value, cost=cost), value=value, cost=cost)


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(help="A customer_id, or source_system/customer_key.")],
    reasons: Annotated[int, typer.Option(min=1, help="How many for each prediction.")] = 3,
) -> None:
    """Why the models in use expect what they expect of a customer: the next purchase, and each offer."""
    from millpond import pipeline, report

    report.print_explained(out, pipeline.explain(customer, count=reasons))


@app.command()
def compare(
    name: Name,
    version: Annotated[str, typer.Argument(help="A version of the model.")],
    other: Annotated[str | None, typer.Argument(help="Another; default: the one in use.")] = None,
) -> None:
    """Out-of-time figures of two versions beside each other; each says what it was tested on."""
    from millpond import models, report

    report.print_comparison(out, name, models.compare(name, version, other))
