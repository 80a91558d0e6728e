"""Who a person is in this home: every id, key and contact by which a row may name them."""

import re
from collections.abc import Collection, Iterable

from duckdb import DuckDBPyConnection

from millpond import settings
from millpond.relations import Relation, lake_tables, raw_tables

Names = dict[str, set[str]]
"""What names persons, by kind: customer_id, contact, and as source_system/key customer_key, message_id, asset_id."""

KEYS = ("customer_key", "message_id", "asset_id")
# Identity works on records, each with an id as a customer has; a customer's is that of its oldest record.
RECORD_IDS = ("record_id", "other_record_id", "component_id", "group_id")
CONTACT = re.compile(
    r"(\w+_)?(e_?mail|phone|mobile|loyalty_key)(_address|_number|_normali[sz]ed|_e164)?|identifier|e164", re.I
)
SHORTEST_CONTACT = 5
RAW_ROWS = ("raw_row", "_raw_row")


def text(column: str) -> str:
    """A column as the text that staging makes of it (macro raw_text)."""
    value = f'trim(cast("{column}" as varchar))'
    is_fraction = f"""regexp_matches(typeof("{column}"), '^(DOUBLE|FLOAT|DECIMAL)')"""
    return f"case when {is_fraction} then {_whole(value)} else {value} end"


def _whole(number: str) -> str:
    return f"regexp_replace({number}, '[.]0+$', '')"


def keyed(column: str) -> str:
    """A key as source_system/key. Without its system it is /key, which counts as anybody's."""
    system = next(column.replace(key, "source_system") for key in KEYS if key in column)
    return f"concat({text(system)}, '/', {text(column)})"


def naming_columns(columns: Collection[str]) -> dict[str, list[str]]:
    """Columns that name persons, by kind; left_customer_key goes with left_source_system."""
    found = {"customer_id": [column for column in columns if "customer_id" in column or column in RECORD_IDS]}
    for key in KEYS:
        pairs = {column: column.replace(key, "source_system") for column in columns if key in column}
        found[key] = [column for column, system in pairs.items() if system in columns]
    return found


def rows_naming(columns: Collection[str], kinds: Iterable[str] = ("customer_id", *KEYS, "contact")) -> str | None:
    """Condition: a row names a person of temp.person; null where no column can."""
    tests = []
    naming = naming_columns(columns)
    for kind in (kind for kind in kinds if kind != "contact"):
        values = f"(select value from temp.main.person where kind = '{kind}')"
        tests += [f"{keyed(c) if kind in KEYS else text(c)} in {values}" for c in naming[kind]]
    # A rejected row as it came.
    for column, key in ((column, key) for column in columns if column in RAW_ROWS for key in KEYS):
        tests.append(f"{_json_key(column, key)} in (select value from temp.main.person where kind = '{key}')")
    tests += [_line_names(column) for column in columns if column in RAW_ROWS]
    if not tests and "contact" in kinds:
        # A table of contacts alone; the contacts sought are nobody else's.
        sought = "(select value from temp.main.person where kind = 'contact')"
        tests = [f"lower({text(column)}) in {sought}" for column in columns if CONTACT.fullmatch(column)]
    return f"coalesce({' or '.join(tests)}, false)" if tests else None


def _json_key(column: str, key: str) -> str:
    value = f"trim({_json_value(column, key)})"
    is_fraction = f"json_type({_json(column)}, {_json_name(column, key)}) = 'DOUBLE'"
    key_text = f"case when {is_fraction} then {_whole(value)} else {value} end"
    return f"concat(trim({_json_value(column, 'source_system')}), '/', {key_text})"


def _json_value(column: str, key: str) -> str:
    return f"json_extract_string({_json(column)}, {_json_name(column, key)})"


def _json(column: str) -> str:
    return f"""case when json_valid("{column}") then cast("{column}" as json) end"""


def _json_name(column: str, key: str) -> str:
    """The name of a column as its file writes it, in upper or lower case."""
    return f"coalesce(list_filter(json_keys({_json(column)}), lambda name: lower(name) = '{key}')[1], '{key}')"


def _line_names(column: str) -> str:
    """Condition: a malformed CSV row has a key of the person and the name of its system among its words."""
    line = _words(_json_value(column, "_line"))
    system, key = _words("value[:strpos(value, '/') - 1]"), _words("value[strpos(value, '/') + 1:]")
    return (
        f"exists (select 1 from temp.main.person where kind in {KEYS} and strpos(value, '/') > 1"
        f" and contains({line}, {system}) and contains({line}, {key}))"
    )


def _words(text: str) -> str:
    """A text with one blank before, between and after its words, for a key may be of several; quotes are none of it."""
    return f"""regexp_replace(concat(' ', {text}, ' '), '[,;"\\s]+', ' ', 'g')"""


def kept_columns(columns: Collection[str], condition: str) -> str | None:
    """Invoices stay for the books, without their customer: the columns of a row that stays; null: such rows go."""
    naming = naming_columns(columns)
    if "invoice_id" in columns:
        named = naming["customer_id"] + naming["customer_key"]
        replaced = [f'case when {condition} then null else "{column}" end as "{column}"' for column in named]
        replaced += [f"{_without_key(column, condition)} as {column}" for column in columns if column == "_raw_row"]
    else:
        replaced = [f"{_without_key(column, condition)} as {column}" for column in columns if column == "raw_row"]
    return f"* replace ({', '.join(replaced)})" if replaced else None


def _without_key(column: str, condition: str) -> str:
    nothing = f"json_object({_json_name(column, 'customer_key')}, null, '_line', null)"
    bare = f"cast(json_merge_patch({column}, {nothing}) as varchar)"
    return f"case when {condition} and json_valid({column}) then {bare} else {column} end"


def rows_to_delete(columns: Collection[str], condition: str) -> str:
    """Condition: the row goes. A rejected invoice in the quarantine stays as one."""
    if "invoice_id" in columns:
        return "false"
    if "raw_row" in columns:
        return f"{condition} and {_json_value('raw_row', 'invoice_id')} is null"
    return condition


def remember(connection: DuckDBPyConnection, names: Names) -> None:
    """Put the names where `rows_naming` looks for them."""
    rows = [(kind, value) for kind, values in names.items() for value in sorted(values)]
    rows += [(kind, "/" + value.partition("/")[2]) for kind, value in rows if kind in KEYS]
    connection.execute("create or replace temp table person (kind varchar, value varchar)")
    if rows:
        connection.executemany("insert into temp.main.person values (?, ?)", rows)


def find(connection: DuckDBPyConnection, who: Iterable[str]) -> Names:
    """Everything that names the persons asked for.

    Args:
        connection: to the lake.
        who: customer ids, or keys as source_system/customer_key. A person's other keys are found too.

    Raises:
        UnreadableFile: a raw file may hold the person, but cannot be read.
    """
    who = set(who)
    names: Names = {
        "customer_id": {one for one in who if "/" not in one},
        "customer_key": {one for one in who if "/" in one},
    }
    relations = [*lake_tables(connection), *raw_tables(connection, settings.raw_folder())]
    _add_keys(connection, names, relations)
    return _with_what_hangs_on(connection, relations, names)


def find_in(connection: DuckDBPyConnection, relations: list[Relation], customer_keys: set[str]) -> Names:
    """Everything that names these keys in these relations only."""
    return _with_what_hangs_on(connection, relations, {"customer_id": set(), "customer_key": customer_keys})


def _with_what_hangs_on(connection: DuckDBPyConnection, relations: list[Relation], names: Names) -> Names:
    remember(connection, names)
    for key in ("message_id", "asset_id"):
        names[key] = _values_beside(connection, relations, key)
    names["contact"] = _own_contacts(connection, relations)
    return names


def _add_keys(connection: DuckDBPyConnection, names: Names, relations: list[Relation]) -> None:
    """A person is all keys of a customer_id today, and every id that only these keys had."""
    linking = [one for one in relations if {"customer_id", "source_system", "customer_key"} <= set(one.columns)]
    records = [one for one in relations if {"record_id", "source_system", "customer_key"} <= set(one.columns)]
    _add_keys_of_ids(connection, names, records)
    for mart in (one for one in linking if one.name == "marts.customer_keys"):
        remember(connection, names)
        ids = f"select customer_id from {mart.sql} where {rows_naming(mart.columns)}"
        known = connection.execute(
            f"select customer_id, {keyed('customer_key')} from {mart.sql} where customer_id in ({ids})"
        ).fetchall()
        for customer_id, customer_key in known:
            names["customer_id"].add(customer_id)
            names["customer_key"].add(customer_key)
    remember(connection, names)
    mine = rows_naming(["source_system", "customer_key"])
    for one in records:
        rows = connection.execute(f"select distinct record_id from {one.sql} where {mine}").fetchall()
        names["customer_id"] |= {row[0] for row in rows}
    for one in linking:
        rows = connection.execute(f"select customer_id from {one.sql} group by 1 having bool_and({mine})").fetchall()
        names["customer_id"] |= {row[0] for row in rows}


def _add_keys_of_ids(connection: DuckDBPyConnection, names: Names, records: list[Relation]) -> None:
    """An id is that of its oldest record, also when it has ended in another: whoever asks for it means that record."""
    remember(connection, names)
    mine = rows_naming(["record_id"], ["customer_id"])
    for one in records:
        rows = connection.execute(f"select distinct {keyed('customer_key')} from {one.sql} where {mine}").fetchall()
        names["customer_key"] |= {row[0] for row in rows}


def _values_beside(connection: DuckDBPyConnection, relations: list[Relation], key: str) -> set[str]:
    """Keys of this kind in rows that name the person."""
    found: set[str] = set()
    for one in relations:
        condition = rows_naming(one.columns, ("customer_id", "customer_key"))
        if {key, "source_system"} <= set(one.columns) and condition:
            rows = connection.execute(f"select distinct {keyed(key)} from {one.sql} where {condition}").fetchall()
            # An empty key is nobody's.
            found |= {value for (value,) in rows if not value.endswith("/")}
    return found


def _own_contacts(connection: DuckDBPyConnection, relations: list[Relation]) -> set[str]:
    """E-mail addresses, telephone numbers and loyalty keys that no customer who stays has too."""
    mine: set[str] = set()
    others: set[str] = set()
    for one in relations:
        condition = rows_naming(one.columns, ("customer_id", "customer_key"))
        for column in (column for column in one.columns if condition and CONTACT.fullmatch(column)):
            contacts = f"select distinct lower({text(column)}) as contact, {condition} as is_mine from {one.sql}"
            named = f"select contact from ({contacts}) where is_mine"
            found = connection.execute(f"select * from ({contacts}) where contact in ({named})").fetchall()
            mine |= {contact for contact, is_mine in found if is_mine}
            others |= {contact for contact, is_mine in found if not is_mine}
    # Shorter ones would be found in anything.
    return {contact for contact in mine - others if len(contact) >= SHORTEST_CONTACT}
