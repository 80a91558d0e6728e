"""The feature store of this home."""

import contextlib
import importlib.util
import io
import os
import sys
import warnings

from feast import FeatureService, FeatureStore
from feast.errors import FeatureServiceNotFoundException
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

from millpond import settings
from millpond.errors import MissingPackage, NotBuilt, UnknownFeatures

REPO = settings.PROJECT / "feature_repo"


def store() -> FeatureStore:
    """Feast's feature store on this home; hold it, for opening it takes a while.

    Raises:
        MissingPackage: MILLPOND_REDIS is set, and its client is not installed.
    """
    os.environ["MILLPOND_HOME"] = str(settings.home())
    config = load_repo_config(REPO, REPO / "feature_store.yaml")
    if settings.redis():
        if importlib.util.find_spec("redis") is None:
            raise MissingPackage(
                "MILLPOND_REDIS is set, and redis is not installed: pip install 'millpond[redis]', or unset it"
            )
        config.online_config = {
            "type": "feast_lake.redis_store.LakeRedisOnlineStore",
            "connection_string": settings.redis(),
        }
    return FeatureStore(config=config)


def published_store() -> FeatureStore:
    """The feature store, once its services are registered.

    Raises:
        NotBuilt: nothing was published in this home.
    """
    feature_store = store()
    if not feature_store.list_feature_services():
        raise NotBuilt(f"no feature service is registered in {settings.home()}: run `millpond publish` first")
    return feature_store


def service(feature_store: FeatureStore, name: str) -> FeatureService:
    """A feature service by its name; hold it, for looking it up takes longer than a read.

    Raises:
        UnknownFeatures: no such service; names those that there are.
    """
    try:
        return feature_store.get_feature_service(name)
    except FeatureServiceNotFoundException:
        known = ", ".join(sorted(one.name for one in feature_store.list_feature_services()))
        raise UnknownFeatures(f"no feature service {name!r}; there are: {known}") from None


def apply(feature_store: FeatureStore) -> None:
    """Register the feature views and services of feature_repo; what left the repository leaves the registry.

    Raises:
        NotBuilt: there is no lake, so no manifest and no tables.
    """
    if not settings.manifest().exists():
        raise NotBuilt(f"no feature models were built in {settings.home()}: run `millpond build` first")
    here = os.getcwd()
    # Feast imports the repository's files by name and reports on standard output.
    sys.path.insert(0, str(REPO))
    sys.modules.pop("definitions", None)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "On demand feature view is an experimental feature", RuntimeWarning)
            apply_total(feature_store.config, REPO, skip_source_validation=False)
    finally:
        sys.path.remove(str(REPO))
        os.chdir(here)
    feature_store.refresh_registry()
