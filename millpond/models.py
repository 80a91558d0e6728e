"""Trained versions of each model: which there are, which is in use, and how they compare."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from millpond import lake, settings
from millpond.errors import UnknownModel
from training import model_store
from training.ranking import Worth, number_to_contact

MODEL = "model"
CUSTOMER_VALUE, RESPONSE_PROPENSITY, UPLIFT = "customer_value", "response_propensity", "uplift"

CONTACTS = (RESPONSE_PROPENSITY, UPLIFT)
"""Models whose scores are responses that a contact brings, with their columns in predictions.response_propensity."""


# Without messages there are no responses, without amounts no values, without withheld messages no uplift: the loop goes
# on without these models.
OPTIONAL = {
    CUSTOMER_VALUE: "So no customer has an expected value",
    RESPONSE_PROPENSITY: "So no action has a prediction, and doing nothing wins",
    UPLIFT: "So uplift stays unknown",
}


@dataclass(frozen=True)
class Version:
    """A trained version.

    Attributes:
        figures: what its test gave, as metrics.json keeps it; None: it could not be tested, and its card says why.
    """

    name: str
    version: str
    is_current: bool
    figures: dict[str, Any] | None

    @property
    def summary(self) -> str:
        """What it was tested on, and its first figure."""
        if self.figures is None:
            return "no test out of time"
        figure, value = next(iter(self.figures["scores"][MODEL].items()))
        return f"{figure.replace('_', ' ')} {value:.4g} on {self.figures['test']}"


@dataclass(frozen=True)
class Ranking:
    """What a version's scores are good for.

    Attributes:
        groups: `ranking.rank_table` of its test, highest scores first; empty: it could not be tested.
        offers: for each action and channel, the customers scored last and whom of them to contact.
    """

    version: Version
    groups: list[dict[str, float]]
    offers: dict[str, tuple[int, Worth]]


def versions() -> list[Version]:
    """All versions in this home, by model, newest as-of date first.

    Raises:
        UnknownModel: none was trained.
    """
    folder = settings.models_folder()
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    found = [_version(name, version) for name in names for version in model_store.versions(folder, name)]
    if not found:
        raise UnknownModel(f"no model was trained in {settings.home()}: run `millpond train` first")
    return found


def untrained(name: str) -> str:
    """What follows where a model of OPTIONAL could not be trained anew."""
    in_use = model_store.usable(settings.models_folder(), name)
    return f"{in_use.name} stays in use" if in_use else OPTIONAL[name]


def promote(name: str, version: str) -> str:
    """Make a version the one in use.

    Returns:
        The version that was in use, even if its folder is gone.

    Raises:
        UnknownModel: there is no such version.
    """
    folder = settings.models_folder()
    known, before = _known(name, version), model_store.current(folder, name)
    model_store.promote(folder, name, known.version)
    return before.name if before else "none"


def compare(name: str, version: str, other: str | None) -> list[Version]:
    """Two versions, the second that in use if `other` is None.

    Raises:
        UnknownModel: there is no such version.
    """
    return [_known(name, version), _known(name, other)]


def rank(name: str, *, value: float, cost: float) -> Ranking:
    """Tenths of the test of the version in use, and whom of those that it scored last to contact.

    Args:
        value: of a response; in the unit of `cost`, that of a contact.

    Raises:
        UnknownModel: the model was not trained, or does not say whom to contact.
    """
    if name not in CONTACTS:
        raise UnknownModel(f"{name} does not say whom to contact; expected {' or '.join(CONTACTS)}: name one of them")
    version = _known(name, None)
    groups = (version.figures or {}).get("groups", [])
    if groups and "lift" not in groups[0]:
        raise UnknownModel(
            f"{name} {version.version} was trained before its test was ranked: run `millpond train {name}`"
        )
    with lake.connect() as connection:
        rows = connection.execute(
            f"""
            select action_id || ' by ' || channel, list({name})
            from predictions.response_propensity
            where
                model_version = $version
                and {name} is not null
                and observation_date = (
                    select max(observation_date) from predictions.response_propensity where model_version = $version
                )
            group by 1
            order by 1
            """,
            {"version": _known(RESPONSE_PROPENSITY, None).version},
        ).fetchall()
    scores = {offer: np.array(scored) for offer, scored in rows}
    offers = {offer: (len(one), number_to_contact(one, value=value, cost=cost)) for offer, one in scores.items()}
    return Ranking(version, groups, offers)


def _known(name: str, version: str | None) -> Version:
    """A version of a model; None: the one in use."""
    folder = settings.models_folder()
    known = model_store.versions(folder, name)
    current = model_store.current(folder, name)
    wanted = version if version is not None or current is None else current.name
    if wanted not in known:
        asked = name if version is None else f"{name} {version!r}"
        raise UnknownModel(
            f"no model {asked} in {settings.home()}; "
            + (f"there is {', '.join(known)}: name one of them" if known else "none of that name: run `millpond train`")
        )
    return _version(name, wanted)


def _version(name: str, version: str) -> Version:
    folder = settings.models_folder()
    try:
        figures = json.loads((folder / name / version / "metrics.json").read_text())
    except (OSError, ValueError) as error:
        raise UnknownModel(
            f"{folder / name / version} holds no figures that can be read ({error}); expected a trained version: move "
            "it away"
        ) from None
    current = model_store.current(folder, name)
    return Version(name, version, current is not None and current.name == version, figures)
