"""The macro telling_rows, run as SQL: at any time what was said last is what it was among all rows."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from millpond import settings

MACRO = settings.PROJECT / "macros" / "knowledge.sql"
DAYS = 6

# What was said, when, when that became known and when it was taken back: few days, so that ties and late words come up.
Words = st.lists(
    st.tuples(
        st.sampled_from(["undelivered", "received"]),
        st.integers(0, DAYS),
        st.integers(0, DAYS),
        st.none() | st.integers(0, DAYS),
    ),
    max_size=12,
)
Word = tuple[str, int, int, int | None]


def telling(words: list[Word]) -> list[Word]:
    module = Environment().from_string(MACRO.read_text()).module
    query = module.telling_rows("words", "person")  # type: ignore[attr-defined]
    with duckdb.connect() as connection:
        connection.execute(
            "create table words (person varchar, says varchar, said_at int, known_at int, superseded_at int)"
        )
        if words:
            connection.executemany("insert into words values ('anna', ?, ?, ?, ?)", words)
        kept: list[Word] = connection.execute(
            f"select says, said_at, known_at, superseded_at from ({query})"
        ).fetchall()
    return kept


def said_last(words: list[Word], day: int) -> str | None:
    known = [(at, says) for says, at, known_at, end in words if known_at <= day and (end is None or end > day)]
    return max(known)[1] if known else None


@given(Words)
def test_the_last_word_is_the_same_on_every_day(words: list[Word]) -> None:
    kept = telling(words)
    assert [said_last(kept, day) for day in range(DAYS + 1)] == [said_last(words, day) for day in range(DAYS + 1)]


def test_of_messages_that_were_received_in_order_the_first_one_tells() -> None:
    assert telling([("received", day, day, None) for day in range(500)]) == [("received", 0, 0, None)]
