"""The steps that change a home: build, publish, train, score, decide; each is safe to kill and run again.

Each step that writes to the lake publishes all of it at its end. `wait_seconds`: how long to wait for another writer.
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond import dbt, declared_features, features, lake, publishing, settings
from millpond.errors import CannotTrain, ModelNotTrained, NotBuilt
from millpond.keeping import Trained
from millpond.learning import HORIZONS, TRAINERS
from millpond.publishing import Published
from training import customer_value, dataset, model_store, repurchase_timing, response_propensity, uplift
from training.dataset import CUSTOMER_VALUE, REPURCHASE_TIMING, RESPONSE_PROPENSITY, UPLIFT
from training.errors import TrainingError

# The value of a year stands beside the horizons asked for.
VALUE_HORIZON = 365


def nothing(name: str) -> None:
    """A progress report that nobody reads."""


def build(
    *,
    as_of: date | None,
    full_refresh: bool = False,
    wait_seconds: float = 0,
    on_node: Callable[[str], None] = nothing,
) -> date:
    """Raw files to lake, features and labels.

    Returns:
        The as-of date of the build.

    Raises:
        UserError: raw data that cannot be read, a locked lake, or a model or test that failed.
    """
    arguments = ["--exclude", "decisions", *(["--full-refresh"] if full_refresh else [])]
    with lake.writing(wait_seconds):
        dbt.build(*arguments, variables=_variables(as_of), on_node=on_node)
    return built_as_of()


def _variables(as_of: date | None) -> dict[str, str]:
    return {"as_of_date": as_of.isoformat()} if as_of else {}


def built_as_of(as_of: date | None = None) -> date:
    """The as-of date that the lake was built for.

    Raises:
        NotBuilt: it was not built, or for another date than the one asked for.
    """
    with lake.connect() as connection:
        if not lake.has_table(connection, "intermediate", "int_as_of_date"):
            raise NotBuilt(f"the lake in {settings.home()} was not built: run `millpond build` first")
        built: date = connection.execute("select as_of_date from intermediate.int_as_of_date").fetchall()[0][0]
    if as_of not in (None, built):
        raise NotBuilt(f"the lake was built as of {built}, not {as_of}: run `millpond build --as-of {as_of}` first")
    return built


def publish(*, wait_seconds: float = 0, on_view: Callable[[str], None] = nothing) -> list[Published]:
    """Register the features and write the newest ones online.

    Returns:
        What happened to each view.

    Raises:
        PublishFailed: a view did not reach the online store.
    """
    built_as_of()
    with lake.writing(wait_seconds):
        # Another writer may have built anew while this one waited.
        as_of = built_as_of()
        feature_store = features.store()
        features.apply(feature_store)
        return publishing.publish(feature_store, as_of=as_of, on_view=on_view)


def train(name: str, *, as_of: date | None = None, wait_seconds: float = 0) -> Trained:
    """Judge a model out of time, then train it on everything known at the as-of date and make it current.

    Raises:
        NotBuilt: no features as of that date.
        CannotTrain: the data hold too little to learn from.
    """
    built_as_of()
    with lake.writing(wait_seconds), lake.connect() as connection:
        cut = as_of or built_as_of()
        if cut not in dataset.observation_dates(connection):
            raise NotBuilt(f"no features as of {cut}: run `millpond build --as-of {cut}` first")
        try:
            return TRAINERS[name](features.published_store(), connection, cut)
        except TrainingError as error:
            raise CannotTrain(f"{name} cannot be trained as of {cut}: {error}") from error


def score(*, as_of: date | None = None, horizons: Sequence[int] = HORIZONS, wait_seconds: float = 0) -> dict[str, int]:
    """Write the predictions of the current models into the lake; those of the same date are replaced.

    Where no response could be learnt there is no response model: no action has a prediction, and doing nothing wins.

    Returns:
        Rows written per table of predictions.

    Raises:
        ModelNotTrained: there is no timing model, or a model knows what came after the date.
        FeaturesChanged: a model learnt from features that are no longer what they were.
    """
    built_as_of(as_of)
    with lake.writing(wait_seconds):
        date_of_scores = built_as_of(as_of)
        feature_store = features.published_store()
        with lake.connect() as connection:
            predictions = {
                **_timing_scores(feature_store, connection, date_of_scores, horizons),
                **_response_scores(feature_store, connection, date_of_scores),
            }
        with lake.connect(read_only=False) as connection:
            connection.begin()
            for table, rows in predictions.items():
                _replace_predictions(connection, table, rows, date_of_scores)
            connection.commit()
    return {table: len(rows) for table, rows in predictions.items()}


def _current_model(name: str, as_of: date) -> Path | None:
    """Folder of the model in use, whose features are still what it learnt from; None: never trained."""
    folder = model_store.current(settings.models_folder(), name)
    if folder is not None and model_store.as_of(folder.name) > as_of:
        raise ModelNotTrained(
            f"{name} {folder.name} learnt from what came after {as_of}: run `millpond train --as-of {as_of}` first"
        )
    if folder is not None:
        declared_features.require_unchanged(name, folder)
    return folder


def _timing_scores(
    feature_store: FeatureStore, connection: DuckDBPyConnection, as_of: date, horizons: Sequence[int]
) -> dict[str, pd.DataFrame]:
    """When and how often each buyer buys, and what that is worth where a value model was trained."""
    folder = _current_model(REPURCHASE_TIMING, as_of)
    if folder is None:
        raise ModelNotTrained("no repurchase_timing model: run `millpond train` first")
    customers = dataset.buyers(connection, [as_of])
    inputs = dataset.service_features(feature_store, REPURCHASE_TIMING, customers)
    timing = repurchase_timing.load(folder)

    def keyed(scores: pd.DataFrame, version: str) -> pd.DataFrame:
        keys = pd.DataFrame({"customer_id": inputs["customer_id"], "observation_date": as_of, "model_version": version})
        return pd.concat([keys, scores], axis=1)

    scored = {"repurchase_timing": keyed(timing.predict(inputs, horizons), folder.name)}
    value_folder = _current_model(CUSTOMER_VALUE, as_of)
    if value_folder is not None:
        values = customer_value.load(value_folder).predict(inputs, timing, sorted({*horizons, VALUE_HORIZON}))
        scored["customer_value"] = keyed(values, value_folder.name)
    return scored


def _response_scores(
    feature_store: FeatureStore, connection: DuckDBPyConnection, as_of: date
) -> dict[str, pd.DataFrame]:
    folder = _current_model(RESPONSE_PROPENSITY, as_of)
    if folder is None:
        return {}
    model, uplift_folder = response_propensity.load(folder), _current_model(UPLIFT, as_of)
    catalogue = dataset.catalogue_offers(connection, as_of=as_of)
    planned = dataset.planned_offers(connection, as_of=as_of)
    catalogue["observation_date"] = as_of
    for offers in (catalogue, planned):
        offers["model_version"] = folder.name
        offers[["response_propensity", "control_propensity", "uplift"]] = None
        if len(offers):
            inputs = dataset.response_inputs(feature_store, offers)
            offers["response_propensity"] = model.predict(inputs)
            if uplift_folder is not None:
                # Both models answer the same question, so the chance without contact follows, and stays a chance.
                effect = uplift.load(uplift_folder).predict(inputs)
                offers["control_propensity"] = (offers["response_propensity"] - effect).clip(0.0, 1.0)
                offers["uplift"] = offers["response_propensity"] - offers["control_propensity"]
    return {"response_propensity": catalogue, "message_response": planned}


def _replace_predictions(connection: DuckDBPyConnection, table: str, rows: pd.DataFrame, as_of: date) -> None:
    """Rows of this date make way for the new ones; a horizon never seen before becomes a column."""
    when = "sent_at" if table == "message_response" else "observation_date"
    known = [row[0] for row in connection.execute(f"describe predictions.{table}").fetchall()]
    for column in rows.columns:
        if column not in known and column.startswith(("p_repurchase_", "expected_")):
            connection.execute(f"alter table predictions.{table} add column {column} double")
            known.append(column)
    columns = ", ".join(column for column in known if column in rows.columns)
    connection.register("scored", rows)
    connection.execute(f"delete from predictions.{table} where {when} >= $as_of", {"as_of": as_of})
    connection.execute(f"insert into predictions.{table} ({columns}) select {columns} from scored")


def decide(
    *, as_of: date | None = None, wait_seconds: float = 0, on_node: Callable[[str], None] = nothing
) -> dict[str, int]:
    """Choose the next best action of every customer from the newest features and predictions.

    Returns:
        Customers per action chosen, most frequent first.
    """
    built_as_of(as_of)
    with lake.writing(wait_seconds):
        built_as_of(as_of)
        # The catalogues too: people edit them between decisions.
        dbt.build("--select", "decisions", "actions", "contact_policy", variables=_variables(as_of), on_node=on_node)
    with lake.connect() as connection:
        rows = connection.execute(
            "select action_id, count(*) from decisions.next_best_actions where rank = 1 group by 1 order by 2 desc, 1"
        ).fetchall()
    return dict(rows)
