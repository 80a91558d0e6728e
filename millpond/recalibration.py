"""Before scoring: is the level of responses still the one the model in use learnt? If not, a recalibrated version."""

import shutil
from datetime import date
from pathlib import Path

from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond import settings
from training import dataset, model_store, offers, response_propensity
from training.dataset import RESPONSE_PROPENSITY
from training.level import Level
from training.training_rows import EVENT_TIMESTAMP

MAXIMUM_MESSAGES = 100_000
"""The newest of those closed since the training; more say no more of the level."""


def bring_to_level(
    store: FeatureStore, published: DuckDBPyConnection, folder: Path, *, as_of: date
) -> tuple[Path, Level | None]:
    """Look at messages whose outcomes closed since the model learnt; keep a recalibrated version if they have drifted.

    Args:
        folder: of the response model in use.
        as_of: what is known now.

    Returns:
        Folder of the version to use from now on, and the level; None: no outcome has closed since.
    """
    sent = dataset.messages(published, sent_from=None, cut=as_of, closed_after=model_store.as_of(folder.name)).tail(
        MAXIMUM_MESSAGES
    )
    model = response_propensity.load(folder)
    if sent.empty:
        return folder, model.level
    inputs = offers.response_inputs(store, sent, model.encoding.categories)
    level, recalibrated = response_propensity.at_level(
        model, inputs, sent["responded"].to_numpy(dtype=bool), sent_at=sent[EVENT_TIMESTAMP]
    )
    if not level.has_drifted:
        return folder, level

    def describe(to: Path, version: str) -> None:
        # All that is said of the version before still holds, but for what was written just now.
        for said in folder.iterdir():
            if not (to / said.name).exists():
                (shutil.copytree if said.is_dir() else shutil.copy)(said, to / said.name)
        card = (folder / "model_card.md").read_text().replace(folder.name, version, 1)
        (to / "model_card.md").write_text(f"{card}\n## Recalibrated\n\nFrom {folder.name}: {level}.\n")

    version = model_store.keep(
        settings.models_folder(),
        RESPONSE_PROPENSITY,
        as_of=as_of,
        write=lambda to: response_propensity.save(recalibrated, to),
        describe=describe,
    )
    return settings.models_folder() / RESPONSE_PROPENSITY / version, level
