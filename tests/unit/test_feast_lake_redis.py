"""The online store in Redis: as the one in SQLite, and with a server that is gone."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import FeatureService, FeatureStore
from feast.infra.online_stores.redis import RedisType
from feast.types import Float64, Int64

from feast_lake import LakeError, publish_view, wire
from feast_lake.packed_store import Packed, kept
from feast_lake.publishing import online_store
from feast_lake.redis_store import LakeRedisOnlineStore
from feast_lake_fixtures import CUSTOMER, PURCHASES, build_lake, feature_store, purchases_view, view
from millpond.reader import Reader

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
REDIS = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(REDIS), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"127.0.0.1:{port}", process
    process.terminate()
    process.wait()


@pytest.fixture
def store(server: tuple[str, "subprocess.Popen[bytes]"], tmp_path: Path) -> FeatureStore:
    catalog = build_lake(tmp_path / "lake", {"features.purchases": PURCHASES})
    settings = {"type": "feast_lake.redis_store.LakeRedisOnlineStore", "connection_string": server[0]}
    config = feature_store(catalog, tmp_path).config
    config.online_config = settings
    store = FeatureStore(config=config)
    store.apply([CUSTOMER, purchases_view()])
    return store


def read(store: FeatureStore, customer: str) -> list[object]:
    features = ["purchases:purchases", "purchases:spend"]
    found = store.get_online_features(features, [{"customer_id": customer}]).to_dict()
    return [found["purchases"][0], found["spend"][0]]


def packed(store: FeatureStore, customer: str) -> Packed | None:
    (key,) = wire.entity_keys([(customer,)], ["customer_id"])
    view = kept(store.config, store.get_feature_view("purchases"))
    [[found]] = online_store(store).read_packed(store.config, [(view, [key])])
    return found


def write(store: FeatureStore, customer: str, at: str, spend: float) -> None:
    row = {"customer_id": customer, "observation_date": pd.Timestamp(at), "purchases": 9, "spend": spend}
    store.write_to_online_store("purchases", pd.DataFrame([row]))


def test_published_values_are_read_by_feast_and_packed(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    assert publish_view(store, view, start=START, end=END, mark="first") == (2, 4, 0)
    assert [read(store, customer) for customer in ("ann", "bob", "nobody")] == [[2, 25.0], [None, 5.0], [None, None]]
    assert packed(store, "bob") == Packed(int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), [None, 5.0])
    assert packed(store, "nobody") is None
    assert online_store(store).published_mark(store.config, view) == "first"
    assert online_store(store).count_published(store.config, view) == 2


def test_older_value_never_replaces_a_newer_one_and_a_correction_does(store: FeatureStore) -> None:
    write(store, "ann", "2024-01-10 15:00", 50.0)
    write(store, "ann", "2024-01-10 14:59", 40.0)
    assert read(store, "ann") == [9, 50.0]
    write(store, "ann", "2024-01-10 15:00", 60.0)
    assert read(store, "ann") == [9, 60.0]
    assert packed(store, "ann") == Packed(int(datetime(2024, 1, 10, 15, tzinfo=UTC).timestamp()), [9, 60.0])


def test_keys_that_left_the_window_go_and_pushed_ones_stay(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    write(store, "ann", "2024-01-09 15:00", 50.0)
    later = datetime(2024, 1, 9, tzinfo=UTC)
    assert publish_view(store, view, start=later, end=later) == (0, 0, 1)
    assert read(store, "ann") == [9, 50.0]
    assert (read(store, "bob"), packed(store, "bob")) == ([None, None], None)


def test_publishing_as_of_an_earlier_day_takes_back_what_a_later_one_brought(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    write(store, "zoe", "2024-01-09 15:00", 50.0)

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LakeRedisOnlineStore, "_remove", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_view(store, view, start=START, end=START)
    # Another run goes on where that one was killed.
    assert publish_view(store, view, start=START, end=START) == (1, 2, 1)
    assert packed(store, "ann") == Packed(int(START.timestamp()), [1, 10.0])
    assert (read(store, "bob"), read(store, "zoe")) == ([None, None], [9, 50.0])
    write(store, "ann", "2024-01-02", 20.0)
    publish_view(store, view, start=START, end=START)
    assert read(store, "ann") == [9, 20.0]


def test_pushed_key_that_the_lake_does_not_have_goes_once_a_later_day_is_published(store: FeatureStore) -> None:
    purchases = store.get_feature_view("purchases")
    write(store, "zoe", "2024-01-08 15:00", 50.0)
    assert publish_view(store, purchases, start=START, end=END) == (2, 4, 1)
    assert packed(store, "zoe") is None
    assert online_store(store).count_published(store.config, purchases) == 2


def test_forgotten_key_leaves_every_view_and_no_other_goes(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    write(store, "a:keys", "2024-02-01", 50.0)
    publish_view(store, view, start=START, end=END)
    redis = online_store(store)
    assert isinstance(redis, LakeRedisOnlineStore)
    assert redis.forget(store.config, ["ann"]) == 1
    assert (read(store, "ann"), packed(store, "ann")) == ([None, None], None)
    assert read(store, "bob") == [None, 5.0]
    assert read(store, "a:keys") == [9, 50.0]
    assert redis.count_published(store.config, view) == 2


def test_values_of_another_layout_are_not_read_and_do_not_stand_in_the_way(store: FeatureStore) -> None:
    write(store, "ann", "2024-01-10 15:00", 50.0)
    other = view("purchases", purchases_view().batch_source, {"spend": Float64, "purchases": Int64})
    store.apply([other])
    assert packed(store, "ann") is None
    publish_view(store, other, start=START, end=END)
    assert packed(store, "ann") == Packed(int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), [25.0, 2])


def test_view_that_left_the_repository_takes_its_rows_and_its_mark_along(store: FeatureStore) -> None:
    gone = store.get_feature_view("purchases")
    publish_view(store, gone, start=START, end=END, mark="first")
    store.apply([CUSTOMER], objects_to_delete=[gone], partial=False)
    assert online_store(store).published_mark(store.config, gone) is None
    assert online_store(store).count_published(store.config, gone) == 0
    store.apply([gone])
    assert packed(store, "ann") is None


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("redis_type", RedisType.redis_cluster, "cannot be a Redis cluster"),
        ("key_ttl_seconds", 60, "lets no row expire: leave out key_ttl_seconds"),
    ],
)
def test_setting_that_would_not_be_heeded_is_refused(
    store: FeatureStore, setting: str, value: object, message: str
) -> None:
    config = store.config.model_copy(deep=True)
    setattr(config.online_store, setting, value)
    with pytest.raises(LakeError, match=message):
        packed(FeatureStore(config=config), "ann")


def test_server_that_is_gone_is_one_line_however_it_is_asked(
    store: FeatureStore, server: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    store.apply(FeatureService(name="shop", features=[store.get_feature_view("purchases")]))
    reader = Reader("shop", store=store)
    assert reader.read(["ann"], at=END)[0].values["spend"] == 25.0
    server[1].terminate()
    server[1].wait()
    for ask in (
        lambda: reader.read(["ann"]),
        lambda: read(store, "ann"),
        lambda: write(store, "ann", "2024-01-10", 1.0),
        lambda: publish_view(store, store.get_feature_view("purchases"), start=START, end=END),
    ):
        begin = time.perf_counter()
        with pytest.raises(LakeError, match="The online store in Redis does not answer") as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert time.perf_counter() - begin < 10


def test_server_that_hangs_does_not_hang_its_readers(
    store: FeatureStore, server: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    config = store.config.model_copy(deep=True)
    config.online_store.connection_string += ",socket_timeout=0.2"
    server[1].send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(LakeError, match="does not answer: Timeout"):
            packed(FeatureStore(config=config), "ann")
    finally:
        server[1].send_signal(signal.SIGCONT)
