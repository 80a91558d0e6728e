"""Whether a model still fits its features: what counts as a change of one, and what is said of it."""

import json
from pathlib import Path

import pytest

from millpond import declared_features
from millpond.column_definition import Definition, definition
from millpond.errors import FeaturesChanged, NotBuilt
from training import feature_list

KEYS = ["customer_id", "observation_date"]

SPENDING = """
with observations as (select customer_id, observation_date from "lake"."marts"."customer_observations"),

-- Each purchase with its age.
purchases as (
    select observations.customer_id, observations.observation_date, days.amount, days.line_count
    from observations
    left join "lake"."marts"."purchase_days" as days
        on observations.customer_id = days.customer_id and days.purchase_date < observations.observation_date
),

totals as (
    select customer_id, observation_date, sum(amount) as spent, count(*) as days, sum(line_count) as lines
    from purchases
    group by customer_id, observation_date
),

features as (
    select totals.customer_id, totals.spent, totals.lines / totals.days as lines_mean, totals.observation_date
    from totals
)

select * from features
"""


def spent(sql: str) -> Definition:
    return definition(sql, "spent", KEYS)


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("-- Each purchase with its age.", "-- Each purchase."),
        ("sum(amount) as spent, count(*) as days", "sum(amount)   as spent,\n count(*) as days"),
        ("sum(line_count) as lines", "max(line_count) as lines"),
        ("totals.spent,", "totals.spent, totals.spent / totals.days as spent_mean,"),
        (
            'select customer_id, observation_date from "lake"."marts"."customer_observations"',
            'select customer_id, observation_date from "lake"."marts"."customer_observations" where is_new',
        ),
        (
            "as lines_mean, totals.observation_date\n    from totals",
            "as lines_mean, returns.returned, totals.observation_date\n    from totals\n"
            "    left join returns on totals.customer_id = returns.customer_id",
        ),
    ],
    ids=["comment", "layout", "other column", "added column", "rows of this build", "added column of another table"],
)
def test_what_the_column_does_not_need_decides_nothing(was: str, is_now: str) -> None:
    changed = SPENDING.replace(was, is_now)
    assert changed != SPENDING
    assert spent(changed) == spent(SPENDING)


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("sum(amount) as spent", "avg(amount) as spent"),
        ("days.amount,", "days.amount_before_tax as amount,"),
        ("days.purchase_date <", "days.purchase_date <="),
        ('"lake"."marts"."purchase_days"', '"lake"."marts"."purchase_hours"'),
        ("from purchases\n", "from purchases where amount > 0\n"),
        ("group by customer_id, observation_date", "group by all"),
        ("    from totals", "    from totals inner join known on totals.customer_id = known.customer_id"),
    ],
    ids=["aggregate", "input", "condition of a join", "table", "filter", "grouping", "join that drops rows"],
)
def test_what_decides_the_column_is_a_change(was: str, is_now: str) -> None:
    changed = SPENDING.replace(was, is_now)
    assert changed != SPENDING
    assert spent(changed).text != spent(SPENDING).text


def test_columns_and_tables_that_a_column_reads_are_named() -> None:
    found = definition(SPENDING, "lines_mean", KEYS)
    assert {"lines", "days", "line_count"} <= found.names
    assert "amount" not in found.names
    assert found.tables == {"observations", "purchase_days"}


def test_sql_that_nobody_can_parse_is_said() -> None:
    with pytest.raises(ValueError, match=r"syntax error.*'selec 1'"):
        definition("selec 1", "spent", KEYS)


BY_CHANNEL = "with features as (select customer_id, observation_date, sent, opened from base) select * from features"
OVER_ALL = """
with channels as (select * from "lake"."features"."by_channel"),
features as (
    select customer_id, observation_date, sum(sent) as sent_ever from channels group by customer_id, observation_date
)
select * from features
"""


def compiled(home: Path, models: dict[str, str], types: dict[str, str]) -> None:
    """A home as a build leaves it: a manifest of feature models with these SQLs, and columns of these types."""
    nodes = {}
    for view, sql in models.items():
        file = Path("models/features") / f"{view}.sql"
        (home / "target/compiled/millpond" / file).parent.mkdir(parents=True, exist_ok=True)
        (home / "target/compiled/millpond" / file).write_text(sql)
        nodes[view] = {
            "name": view,
            "package_name": "millpond",
            "original_file_path": str(file),
            "config": {"meta": {"grain": KEYS, "feast": {"services": ["repurchase_timing"]}}},
            "columns": {
                name: {"name": name, "data_type": types[name], "description": name, "config": {"meta": {}}}
                for name in types
                if name in sql
            },
        }
    (home / "target/manifest.json").write_text(json.dumps({"nodes": nodes}))


TYPES = {"customer_id": "varchar", "sent": "bigint", "opened": "bigint", "sent_ever": "bigint"}
MODELS = {"by_channel": BY_CHANNEL, "over_all": OVER_ALL.replace("sum(sent)", "sum(channels.sent)")}


@pytest.fixture
def version(home: Path) -> Path:
    """A version that learnt from sent_ever, which another feature model adds up from."""
    compiled(home, MODELS, TYPES)
    folder = home / "models/repurchase_timing/2024-01-01-0123abcd"
    folder.mkdir(parents=True)
    feature_list.write(declared_features.inputs_of("repurchase_timing", ["sent_ever", "offer_percent"]), folder)
    return folder


def test_unchanged_features_pass_and_inputs_that_are_none_are_not_listed(version: Path) -> None:
    declared_features.require_unchanged("repurchase_timing", version)
    assert [(one.view, one.name) for one in feature_list.read(version)] == [("over_all", "sent_ever")]


def test_columns_that_the_model_does_not_read_may_change(version: Path, home: Path) -> None:
    before = declared_features.inputs_of("repurchase_timing", ["opened", "sent_ever"])
    compiled(home, {**MODELS, "by_channel": BY_CHANNEL.replace("opened", "2 * opened as opened")}, TYPES)
    after = declared_features.inputs_of("repurchase_timing", ["opened", "sent_ever"])
    assert [now.name for now, then in zip(after, before, strict=True) if now != then] == ["opened"]
    declared_features.require_unchanged("repurchase_timing", version)


@pytest.mark.parametrize(
    ("models", "types", "said"),
    [
        ({"over_all": MODELS["over_all"].replace("sum(", "max(")}, TYPES, "over_all.sent_ever is computed otherwise"),
        ({"by_channel": BY_CHANNEL.replace("sent,", "2 * sent as sent,")}, TYPES, "over_all.sent_ever is computed "),
        ({}, {**TYPES, "sent_ever": "double"}, "over_all.sent_ever is double, was bigint"),
        ({}, {name: TYPES[name] for name in ("customer_id", "sent")}, "over_all.sent_ever is gone"),
    ],
    ids=["its SQL", "SQL beneath it", "its type", "gone"],
)
def test_changed_feature_is_named_with_what_to_do(
    version: Path, home: Path, models: dict[str, str], types: dict[str, str], said: str
) -> None:
    compiled(home, {**MODELS, **models}, types)
    with pytest.raises(
        FeaturesChanged,
        match=rf"^repurchase_timing 2024-01-01-0123abcd learnt from other features: {said}.*: run `millpond train`$",
    ):
        declared_features.require_unchanged("repurchase_timing", version)


def test_version_without_a_list_is_refused(version: Path) -> None:
    (version / feature_list.FILE).unlink()
    with pytest.raises(FeaturesChanged, match=r"keeps no list of its features: run `millpond train`$"):
        declared_features.require_unchanged("repurchase_timing", version)


def test_home_whose_models_were_not_compiled_says_so(version: Path, home: Path) -> None:
    (home / "target/compiled/millpond/models/features/over_all.sql").unlink()
    with pytest.raises(NotBuilt, match=r"^over_all was not compiled in .*: run `millpond build` first$"):
        declared_features.require_unchanged("repurchase_timing", version)


def test_attributes_that_are_read_otherwise_are_a_change(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model reads of them is decided in Python, beside the SQL that delivers them."""
    profile = "with features as (select customer_id, observation_date, attributes from base) select * from features"
    compiled(home, {"profile": profile}, {"customer_id": "varchar", "attributes": "varchar"})
    folder = home / "models/repurchase_timing/2024-01-01-0123abcd"
    folder.mkdir(parents=True)
    feature_list.write(declared_features.inputs_of("repurchase_timing", ["attributes"]), folder)
    declared_features.require_unchanged("repurchase_timing", folder)
    monkeypatch.setattr(declared_features, "READ_AS", "dates count from 1970")
    with pytest.raises(FeaturesChanged, match=r"profile.attributes is computed otherwise: run `millpond train`$"):
        declared_features.require_unchanged("repurchase_timing", folder)
