"""Model cards: what a model is for, what it was made of, and how good it is."""

from collections.abc import Mapping
from typing import Any

from training.errors import TrainingError

SECTIONS: dict[str, str] = {
    "purpose": "Purpose",
    "not_for": "Who must not use it",
    "data": "Data",
    "as_of": "As of",
    "lake_snapshot": "Lake snapshot",
    "features": "Features",
    "method": "Method",
    "limits": "Limits",
}
"""Facts that every card states, in order; other facts follow under their own names."""


def render(name: str, version: str, facts: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """A Markdown card.

    Args:
        name: such as `repurchase_timing`.
        version: such as `2018-01-02-1f0c9a2b`.
        facts: at least the keys of SECTIONS; a value is a text, a number, a list or
            mapping of these, or a list of mappings: the rows of a table.
        metrics: figures by what they are figures of ("model", "BG/NBD", …): one row of
            the table each, {figure: value}. A value of three numbers is an estimate
            with its 95 % interval.

    Raises:
        TrainingError: a fact is missing; names it.
    """
    missing = [key for key in SECTIONS if key not in facts]
    if missing:
        raise TrainingError(
            f"model card of {name} lacks {', '.join(missing)}; expected every fact of SECTIONS: state it"
        )
    others = {key: key.replace("_", " ").capitalize() for key in facts}
    parts = [f"# {name} {version}"]
    for key, title in {**SECTIONS, **others, **SECTIONS}.items():
        parts.append(f"## {title}\n\n{_text(facts[key])}")
    parts.append(f"## Figures\n\n{_table(metrics)}")
    return "\n\n".join(parts) + "\n"


def _text(fact: Any) -> str:
    if isinstance(fact, list) and fact and isinstance(fact[0], Mapping):
        return _table({str(place): row for place, row in enumerate(fact, start=1)})
    if isinstance(fact, Mapping):
        return "\n".join(f"- {key}: {_number(value)}" for key, value in fact.items())
    if isinstance(fact, list | tuple | set | frozenset):
        return "\n".join(f"- {_number(value)}" for value in fact)
    return _number(fact)


def _table(metrics: Mapping[str, Any]) -> str:
    """One row per subject, one column per figure, in order of first appearance."""
    figures = list(dict.fromkeys(name for row in metrics.values() for name in row))
    lines = [["", *figures], ["---", *("---:" for _ in figures)]]
    for subject, row in metrics.items():
        lines.append([subject, *(_cell(row.get(figure)) for figure in figures)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        estimate, low, high = (_number(part) for part in value)
        return f"{estimate} [{low}, {high}]"
    return _number(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
