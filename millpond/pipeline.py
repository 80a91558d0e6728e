"""The steps that change a home: build, publish, train, score, decide; each is safe to kill and run again.

Each step that writes to the lake publishes all of it at its end. `wait_seconds`: how long to wait for another writer.
Steps of SQL alone do not wait the four seconds in which Feast and LightGBM are imported: the others import them.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from millpond import dbt, lake, settings
from millpond.errors import CannotScore, CannotTrain, NotBuilt
from training.person_periods import HORIZONS

if TYPE_CHECKING:
    from millpond.explaining import Explained
    from millpond.keeping import Trained
    from millpond.publishing import Published


def nothing(name: str) -> None:
    """A progress report that nobody reads."""


def build(
    *,
    as_of: date | None,
    full_refresh: bool = False,
    wait_seconds: float = 0,
    on_node: Callable[[str], None] = nothing,
    on_notice: Callable[[str], None] = nothing,
) -> date:
    """Raw files to lake, features and labels.

    `on_notice` is told what a user should know of raw data that are built all the same.

    Returns:
        The as-of date of the build.

    Raises:
        UserError: raw data that cannot be read, a locked lake, or a model or test that failed.
    """
    arguments = ["--exclude", "decisions", *(["--full-refresh"] if full_refresh else [])]
    with lake.writing(wait_seconds):
        dbt.build(*arguments, variables=_variables(as_of), on_node=on_node, on_notice=on_notice)
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


def publish(*, wait_seconds: float = 0, on_view: Callable[[str], None] = nothing) -> "list[Published]":
    """Register the features and write the newest ones online.

    Returns:
        What happened to each view.

    Raises:
        PublishFailed: a view did not reach the online store.
    """
    from millpond import features, publishing

    built_as_of()
    with lake.writing(wait_seconds):
        # Another writer may have built anew while this one waited.
        as_of = built_as_of()
        feature_store = features.store()
        features.apply(feature_store)
        return publishing.publish(feature_store, as_of=as_of, on_view=on_view)


def train(name: str, *, as_of: date | None = None, wait_seconds: float = 0) -> "Trained":
    """Judge a model out of time, then train it on everything known at the as-of date; it is used if none newer is.

    Raises:
        NotBuilt: no features as of that date.
        CannotTrain: the data hold too little to learn from.
        MissingPackage: versions are to be logged to MLflow, and it is not installed.
    """
    from millpond import features, learning, tracking
    from training import training_rows
    from training.errors import TrainingError

    tracking.require()
    built_as_of()
    with lake.writing(wait_seconds), lake.connect() as connection:
        cut = as_of or built_as_of()
        if cut not in training_rows.observation_dates(connection):
            raise NotBuilt(f"no features as of {cut}: run `millpond build --as-of {cut}` first")
        try:
            return learning.TRAINERS[name](features.published_store(), connection, cut)
        except TrainingError as error:
            raise CannotTrain(f"{name} cannot be trained as of {cut}: {error}") from error


def score(
    *,
    as_of: date | None = None,
    horizons: Sequence[int] = HORIZONS,
    wait_seconds: float = 0,
    on_notice: Callable[[str], None] = nothing,
) -> dict[str, int]:
    """Write the predictions of the current models into the lake; those of the same date are replaced.

    Where no response could be learnt there is no response model: no action has a prediction, and doing nothing wins.
    A response model whose level has drifted is recalibrated, and `on_notice` told so.

    Returns:
        Rows written per table of predictions.

    Raises:
        ModelNotTrained: there is no timing model, or a model knows what came after the date.
        FeaturesChanged: a model learnt from features that are no longer what they were.
        CannotScore: a feature or an offer holds what no model takes, such as an infinite value; nothing is written.
    """
    from millpond import features, scoring
    from training.errors import TrainingError

    built_as_of(as_of)
    with lake.writing(wait_seconds):
        date_of_scores = built_as_of(as_of)
        feature_store = features.published_store()
        try:
            return scoring.score(feature_store, as_of=date_of_scores, horizons=horizons, on_notice=on_notice)
        except TrainingError as error:
            raise CannotScore(f"nothing was scored as of {date_of_scores}: {error}") from error


def explain(customer: str, *, count: int) -> "list[Explained]":
    """Why the models in use predict what they do for a customer, with the features of the newest build.

    Raises:
        UnknownCustomer: nobody of that name is a customer.
        ModelNotTrained: no model was trained, or one knows what came after the build.
        FeaturesChanged: a model learnt from features that are no longer what they were.
        CannotScore: a feature or an offer holds what no model takes.
    """
    from millpond import explaining, features
    from training.errors import TrainingError

    try:
        return explaining.explain(features.published_store(), customer, as_of=built_as_of(), count=count)
    except TrainingError as error:
        raise CannotScore(f"{customer} cannot be scored: {error}") from error


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
