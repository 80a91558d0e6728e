"""What a read of the lake takes from one feature view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from feast_lake.connection import identifier

if TYPE_CHECKING:
    from feast.value_type import ValueType


@dataclass(frozen=True)
class ViewRead:
    """What to read from one feature view.

    Attributes:
        relation: stands after FROM: a quoted table or a query in parentheses.
        keys: entity row's column → source's column; empty for a view without entity.
        features: name in the answer → source's column.
        timestamp: source's column of the event timestamp.
        created: source's column of the created timestamp, if there is one.
        ttl: oldest age of a row to use, inclusive; None for any age.
        known_by_row: use only rows created at or before the entity row's timestamp.
        name: of the view, for messages.
        declared: source's column → the type that Feast was told; not all need be there.
        ranked_by: source's columns that decide between rows equal in key and timestamps, those of all features of the
            view, so that it does not matter which are asked for; none: those that are.
    """

    relation: str
    keys: dict[str, str]
    features: dict[str, str]
    timestamp: str
    created: str | None = None
    ttl: timedelta | None = None
    known_by_row: bool = False
    name: str = "the view"
    declared: dict[str, ValueType] = field(default_factory=dict)
    ranked_by: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The source's columns that a read needs."""
        timestamps = filter(None, (self.timestamp, self.created))
        return list(dict.fromkeys([*self.keys.values(), *self.features.values(), *timestamps, *self.ranks]))

    @property
    def ranks(self) -> list[str]:
        """The columns that decide between rows equal in key and timestamps, in their order."""
        return sorted(self.ranked_by or self.features.values())

    @property
    def named_keys(self) -> list[str]:
        """The keys as SQL, each under its name in entity rows."""
        return [f"{identifier(column)} as {identifier(name)}" for name, column in self.keys.items()]


def greatest(columns: Iterable[str]) -> str:
    """An order in which the row with the greatest values comes first."""
    return ", ".join(f"{column} desc nulls last" for column in columns)
