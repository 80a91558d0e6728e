"""The command line: each command parses, calls one function and prints its result."""

import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from feast_lake import LakeBusy, LakeError
from millpond import live, model_commands, settings, upkeep
from millpond.errors import CannotTrain, LakeLocked, LakeUnreadable, UserError
from millpond.options import DEFAULT_HORIZONS, AsOf, Horizons, Out, Wait, day_of, horizons_of, write
from millpond.terminal import err, out, progress

app = typer.Typer(
    help="Millpond: from raw customer data to the next best action for every customer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(upkeep.app)
app.add_typer(live.app)
app.add_typer(model_commands.app, name="models")
INTERRUPTED = 130


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and an exit code of its own."""
    # Feast's SQLite store writes timestamps in local time.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        app()
    except UserError as error:
        _stop(error)
    except LakeError as error:
        _stop(LakeLocked(str(error)) if isinstance(error, LakeBusy) else LakeUnreadable(str(error)))
    except SystemExit as stop:
        # Typer turns Ctrl-C into this code, without a word.
        if stop.code == INTERRUPTED:
            err.print("millpond: interrupted; run the same command again to go on", highlight=False)
        raise


def _stop(error: UserError) -> NoReturn:
    err.print(f"millpond: {' '.join(str(error).split())}", style="red", highlight=False, soft_wrap=True)
    sys.exit(error.exit_code)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        print(f"millpond {version('millpond')}")
        raise typer.Exit


@app.callback()
def options(
    of_program: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def land(
    adapter: Annotated[str, typer.Argument(help="Known data set: a file adapters/<name>.sql.")],
    source: Annotated[
        Path | None, typer.Argument(help="Where its data lie; default: the package that ships them.")
    ] = None,
    customers: Annotated[int, typer.Option(min=1, help="synthetic: how many.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="synthetic: the same seed gives the same world.")] = 1,
    days: Annotated[int, typer.Option(min=60, max=1200, help="synthetic: how long, from 2023-01-01.")] = 730,
    dirt: Annotated[bool, typer.Option("--dirt", help="synthetic: add rows that the raw contract rejects.")] = False,
    wait: Wait = 0,
) -> None:
    """Write the raw files of a known data set, or of a made-up world (synthetic), into <home>/raw."""
    from millpond import landing, synthetic

    with progress("Landing"):
        if adapter == "synthetic":
            rows = synthetic.land(customers=customers, seed=seed, days=days, has_dirt=dirt, wait_seconds=wait)
        else:
            rows = landing.land(adapter, source, wait_seconds=wait)
    if adapter in landing.NOTICES:
        out.print(landing.NOTICES[adapter], style="yellow", highlight=False)
    counts = ", ".join(f"{count:,} {table}" for table, count in rows.items())
    out.print(f"Landed {adapter} in {settings.raw_folder()}: {counts}.", highlight=False, soft_wrap=True)


@app.command()
def check(
    raw: Annotated[
        Path | None, typer.Argument(help="Folder with <family>/<table>/ files; default: that of this home.")
    ] = None,
) -> None:
    """Say what a build would accept, supersede, drop and reject of raw data, and why; build nothing."""
    from millpond import checking, report

    with progress("Checking") as done:
        found = checking.check_raw(raw or settings.raw_folder(), on_node=done, on_notice=_notice)
    report.print_raw_check(out, found)


@app.command()
def contract(to: Out = None) -> None:
    """Print the raw contract as a JSON Schema, for programs that write raw files."""
    from millpond import contract

    write(contract.as_text(contract.schema()), to)


@app.command()
def catalogue(to: Out = None) -> None:
    """Print the catalogue of features as Markdown: type, unit, meaning, services."""
    from millpond import catalogue

    write(catalogue.catalogue(), to)


@app.command()
def build(
    as_of: AsOf = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Compute the whole feature history again.")
    ] = False,
    wait: Wait = 0,
) -> None:
    """Raw files to lake, features and labels (dbt)."""
    from millpond import pipeline

    with progress("Building") as report:
        built = pipeline.build(
            as_of=day_of(as_of), full_refresh=full_refresh, wait_seconds=wait, on_node=report, on_notice=_notice
        )
    out.print(f"Built the lake as of {built}.", highlight=False)


@app.command()
def publish(wait: Wait = 0) -> None:
    """Register the features with Feast and write the newest ones online."""
    from millpond import pipeline, report

    with progress("Publishing") as done:
        published = pipeline.publish(wait_seconds=wait, on_view=done)
    report.print_published(out, published)


@app.command()
def train(
    model: Annotated[
        str | None,
        typer.Argument(help="repurchase_timing, customer_value, response_propensity or uplift; default: all."),
    ] = None,
    as_of: AsOf = None,
    wait: Wait = 0,
) -> None:
    """Learn from labels complete before the as-of date; judge out of time first."""
    from millpond import learning, models, pipeline, report

    if model is not None and model not in learning.TRAINERS:
        raise typer.BadParameter(f"{model!r}: expected {' or '.join(learning.TRAINERS)}", param_hint="MODEL")
    for name in [model] if model else list(learning.TRAINERS):
        try:
            with progress(f"Training {name}"):
                report.print_figures(out, pipeline.train(name, as_of=day_of(as_of), wait_seconds=wait))
        except CannotTrain as error:
            # Without messages or amounts there is nothing to learn from; asked for by name, that is an error.
            if model or name not in models.OPTIONAL:
                raise
            out.print(f"{error}. {models.untrained(name)}.", highlight=False)


@app.command()
def score(as_of: AsOf = None, horizons: Horizons = DEFAULT_HORIZONS, wait: Wait = 0) -> None:
    """Write the predictions of the current models into the lake."""
    from millpond import pipeline

    days = horizons_of(horizons)
    with progress("Scoring"):
        rows = pipeline.score(as_of=day_of(as_of), horizons=days, wait_seconds=wait, on_notice=_notice)
    out.print("Scored " + ", ".join(f"{count:,} {table}" for table, count in rows.items()) + ".", highlight=False)


def _notice(text: str) -> None:
    out.print(text, style="yellow", highlight=False, soft_wrap=True)


@app.command()
def decide(as_of: AsOf = None, wait: Wait = 0) -> None:
    """Choose the next best action of every customer."""
    from millpond import pipeline

    with progress("Deciding") as report:
        actions = pipeline.decide(as_of=day_of(as_of), wait_seconds=wait, on_node=report)
    out.print(
        "Decided: " + ", ".join(f"{count:,} {action}" for action, count in actions.items()) + ".", highlight=False
    )


@app.command()
def match(
    threshold: Annotated[float, typer.Option(min=0.5, max=1, help="Lowest probability of a proposal.")] = 0.9,
    wait: Wait = 0,
) -> None:
    """Propose records that are probably one customer, for people to review; merge nothing (extra splink)."""
    from millpond import matching

    with progress("Matching"):
        count = matching.propose(threshold=threshold, wait_seconds=wait)
    out.print(
        f"Proposed {count:,} pairs in review.match_proposals: decide in seeds/reviewed_matches.csv, then build.",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def run(
    as_of: AsOf = None,
    horizons: Horizons = DEFAULT_HORIZONS,
    wait: Wait = 0,
) -> None:
    """Build, publish, train, score and decide; end with what was decided and how good the models are."""
    from millpond import loop

    loop.run(as_of=day_of(as_of), horizons=horizons_of(horizons), wait_seconds=wait, out=out, progress=progress)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help='A read-only question, such as "select count(*) from marts.customers".')],
    to: Annotated[
        Path | None, typer.Option("--out", help="Write the answer to FILE.parquet or FILE.csv instead.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Ask what the last build that failed had written instead.")
    ] = False,
) -> None:
    """Ask the lake a read-only question."""
    from millpond import question

    answer = question.ask(query, to, failed=failed)
    print(answer)


@app.command()
def doctor() -> None:
    """Say what is there, how fresh it is, and what is missing."""
    from millpond import health, report

    checks = health.check()
    report.print_checks(out, checks)
    if any(not check.is_well for check in checks):
        raise typer.Exit(1)
