"""What commands print: figures of models, decisions, steps and checks as tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from millpond import lake, settings
from millpond.auditing import Audited
from millpond.checking import RawCheck
from millpond.drift import Drift
from millpond.explaining import Explained
from millpond.health import Check
from millpond.keeping import Trained
from millpond.models import MODEL, Ranking, Version
from millpond.publishing import Published
from millpond.traces import Trace

if TYPE_CHECKING:
    from millpond.loop import Step

SHOWN_PER_ACTION = 2
SHOWN_DRIFTS = 10

# Column heads that fit beside each other.
FIGURES = {
    "auc": "AUC",
    "brier": "Brier",
    "average_precision": "AP",
    "calibration_slope": "slope",
    "predicted_over_actual": "pred/act",
    "lift_at_10_percent": "lift 10%",
    "mae": "MAE",
    "rmse": "RMSE",
    "top_tenth_share": "top tenth",
}


def print_figures(out: Console, trained: Trained) -> None:
    """Out-of-time figures of a model beside its baselines."""
    for notice in trained.notices:
        out.print(f"{trained.name}: {notice}.", style="yellow", highlight=False, soft_wrap=True)
    figures = trained.figures
    if not figures:
        words = f"{trained.name} {trained.version}: test out of time: {trained.test}"
        out.print(words, highlight=False, soft_wrap=True)
        return
    names = list(next(iter(figures.scores.values())))
    table = Table(title=f"{trained.name}: {figures.test}", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(FIGURES.get(name, name.replace("_", " ")), justify="right")
    for who, scores in figures.scores.items():
        table.add_row(who.replace("_", " "), *(_number(scores.get(name)) for name in names))
    out.print(table)
    for baseline, gain in figures.gains.items():
        side = "below" if gain.estimate >= 0 else "above"
        out.print(
            f"{figures.loss.capitalize()} {abs(gain.estimate):.1%} {side} that of {baseline.replace('_', ' ')} "
            f"(gain, 95 % interval: {gain.low:+.1%} to {gain.high:+.1%}).",
            highlight=False,
        )
    out.print()


def print_comparison(out: Console, name: str, versions: Sequence[Version]) -> None:
    """One column per version, one row per figure of its test."""
    table = Table(title=name, title_justify="left")
    table.add_column("")
    for one in versions:
        table.add_column(f"{one.version}{' (in use)' if one.is_current else ''}", justify="right")
    scores = [one.figures["scores"][MODEL] if one.figures else {} for one in versions]
    for figure in dict.fromkeys(figure for row in scores for figure in row):
        table.add_row(FIGURES.get(figure, figure.replace("_", " ")), *(_number(row.get(figure)) for row in scores))
    out.print(table)
    for one in versions:
        out.print(f"{one.version}: {one.summary}", highlight=False, soft_wrap=True)


def print_ranking(out: Console, ranking: Ranking, *, value: float, cost: float) -> None:
    """The test's tenths with what contacting each netted, then for each offer how many customers to contact."""
    version = ranking.version
    table = Table(title=f"{version.name} {version.version}: {version.summary}", title_justify="left")
    for head in ("tenth", "count", "expected", "responses", "rate", "cumulative", "lift", "net"):
        table.add_column(head, justify="right")
    for place, group in enumerate(ranking.groups, start=1):
        figures = (group[name] for name in ("expected", "total", "actual", "cumulative_gain", "lift"))
        expected, total, actual, cumulative, lift = figures
        net = group["count"] * (actual * value - cost)
        shown = (f"{expected:.4f}", f"{total:,.0f}", f"{actual:.4f}", f"{cumulative:.1%}", f"{lift:.2f}", f"{net:,.2f}")
        table.add_row(str(place), f"{group['count']:,}", *shown)
    if ranking.groups:
        out.print(table)
    for offer, (customers, worth) in ranking.offers.items():
        whom = f"contact {worth.contacted:,} of {customers:,} customers"
        least = "" if worth.lowest is None else f", who score at least {worth.lowest:.4f}"
        out.print(f"{offer}: {whom}{least}; expected net {worth.net:,.2f}.", highlight=False, soft_wrap=True)
    if not ranking.offers:
        out.print("Nobody was scored with it: run `millpond score`.", highlight=False)


def print_explained(out: Console, predictions: Sequence[Explained]) -> None:
    """Each prediction with its reasons; + makes it likelier."""
    for one in predictions:
        out.print(f"{one.probability:.1%}  {one.prediction}", highlight=False, soft_wrap=True)
        for contribution, words in one.reasons:
            out.print(f"  {contribution:+.2f}  {words}", highlight=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def print_run(out: Console, *, built: date, trained: Sequence[Trained], steps: "Sequence[Step]") -> None:
    """The end of a run: decisions, figures, where things lie, what they took."""
    _print_decisions(out, built)
    for one in trained:
        print_figures(out, one)
    # A connection string may hold a password.
    lake_address = lake.place_name() if settings.is_shared() else settings.catalog()
    for one in trained:
        out.print(f"{one.name}: {one.folder}", highlight=False, soft_wrap=True)
    out.print(f"lake: {lake_address}   online features: {settings.home() / 'online'}", highlight=False, soft_wrap=True)
    table = Table(title="Time and memory", title_justify="left")
    for name in ("step", "seconds", "peak MiB"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step in steps:
        table.add_row(step.name, f"{step.seconds:.1f}", f"{step.peak_mib:,.0f}")
    total = sum(step.seconds for step in steps)
    table.add_row("all", f"{total:.1f}", f"{max(step.peak_mib for step in steps):,.0f}", style="bold")
    out.print(table)


def _print_decisions(out: Console, built: date) -> None:
    with lake.connect() as connection:
        counts = connection.execute(
            """
            select action_id, count(*), sum(net_value)
            from decisions.next_best_actions
            where rank = 1
            group by action_id
            order by count(*) desc, action_id
            """
        ).fetchall()
        # The best of each action, and of those to whom something else was ruled out: a few that show what decides.
        rows = connection.execute(
            """
            select keys.customer, actions.action_id, actions.reason
            from decisions.next_best_actions as actions
            inner join (
                select customer_id, min(source_system || '/' || customer_key) as customer
                from marts.customer_keys
                group by customer_id
            ) as keys using (customer_id)
            where actions.rank = 1
            qualify $shown >= row_number() over (
                partition by actions.action_id, actions.reason like 'Nothing else%'
                order by actions.net_value desc, keys.customer
            )
            order by actions.net_value desc, customer
            """,
            {"shown": SHOWN_PER_ACTION},
        ).fetchall()
    table = Table(title=f"Next best actions as of {built}: a few customers", title_justify="left")
    for name in ("customer", "action", "reason"):
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    out.print(table)
    total = sum(count for _, count, _ in counts)
    chosen = ", ".join(f"{count:,} {action}" for action, count, _ in counts)
    worth = sum(value or 0 for *_, value in counts)
    out.print(f"{total:,} customers: {chosen}; expected net value {worth:,.2f}.", highlight=False)
    out.print()


def print_published(out: Console, published: Sequence[Published]) -> None:
    """One line per view: what is online, and how fresh."""
    table = Table(title="Online", title_justify="left")
    for name in ("view", "keys", "values", "gone", "newest", "took"):
        table.add_column(name, justify="left" if name in ("view", "newest") else "right", no_wrap=True)
    for one in published:
        counts = (f"{count:,}" for count in (one.keys, one.values, one.removed))
        table.add_row(one.view, *counts, str(one.newest or ""), f"{one.seconds:.1f} s")
    out.print(table)


def print_audit(out: Console, audited: Sequence[Audited]) -> None:
    """One line per service, then each feature that was served with a wrong value."""
    table = Table(title="Served beside the lake", title_justify="left")
    for name in ("service", "features", "compared", "wrong", "behind", "unproven"):
        table.add_column(name, justify="left" if name == "service" else "right")
    for service in sorted({one.service for one in audited}):
        ours = [one for one in audited if one.service == service]
        sums = (sum(getattr(one, name) for one in ours) for name in ("compared", "wrong", "behind", "unproven"))
        table.add_row(service, str(len(ours)), *(f"{count:,}" for count in sums))
    out.print(table)
    for one in audited:
        if one.wrong:
            examples = "; ".join(one.examples)
            out.print(
                f"{one.feature}: {one.wrong:,} of {one.compared:,} wrong: {examples}", highlight=False, soft_wrap=True
            )


def print_raw_check(out: Console, found: RawCheck) -> None:
    """Counts per table, then each reason for rejection with an example."""
    # Without edges the longest name of a table fits into 80 characters.
    table = Table(title="What a build would make of it", title_justify="left", show_edge=False, pad_edge=False)
    for name in ("table", "rows", "accepted", "superseded", "duplicates", "rejected"):
        table.add_column(name, justify="left" if name == "table" else "right", overflow="fold")
    for raw_table, *counts in found.audit:
        table.add_row(raw_table, *(f"{count:,}" for count in counts))
    out.print(table)
    for raw_table, reason, count, example in found.reasons:
        out.print(f"{raw_table}: {count:,} x {reason}, such as {example}", highlight=False, soft_wrap=True)


def print_checks(out: Console, checks: Sequence[Check]) -> None:
    """One line per check."""
    table = Table(show_header=False, box=None)
    for check in checks:
        found = Text("ok", style="green") if check.is_well else Text("mend", style="red")
        table.add_row(found, check.what, check.finding)
    out.print(table)


def print_erasure(out: Console, removed: Mapping[str, int]) -> None:
    """What was removed where; the tables of a layer of the lake add up."""
    counts: Counter[str] = Counter()
    for where, count in removed.items():
        counts[where.partition(".")[0] if where.startswith("lake ") else where] += count
    for where, count in counts.items():
        out.print(f"{where}: {count:,}", highlight=False, soft_wrap=True)


def print_traces(out: Console, left: Sequence[Trace]) -> None:
    """One line per place that still names the person."""
    for trace in left:
        out.print(f"found in {trace.file}: {trace.number:,} {trace.what}", highlight=False, soft_wrap=True)


def print_drift(out: Console, found: Sequence[Drift]) -> None:
    """The features that moved most, the worst first."""
    dates = f"trained as of {found[0].reference_to}, now {found[0].observation_date}"
    table = Table(title=f"Drift of {len(found)} features: {dates}", title_justify="left")
    table.add_column("feature", overflow="fold")
    for head in ("PSI", "null then", "null now"):
        table.add_column(head, justify="right")
    for row in found[:SHOWN_DRIFTS]:
        shares = (f"{share or 0:.1%}" for share in (row.null_share_reference, row.null_share_now))
        table.add_row(f"{row.feature_view}.{row.feature}", f"{row.psi:.3f}", *shares)
    out.print(table)
