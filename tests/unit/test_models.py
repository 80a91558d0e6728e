"""Trained versions: listing, promoting and comparing them."""

import json
import re
import shutil
import sys
from datetime import date
from io import StringIO
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from millpond import cli, declared_features, keeping, learning, models, report, scoring, terminal
from millpond.errors import ModelNotTrained, UnknownModel
from millpond.explaining import Explained
from training import backtest, dataset, model_store, offers
from training.affinity import AFFINITY
from training.errors import TrainingError
from training.figures import Figures
from training.offers import Recipients


def keep(folder: Path, day: int, log_loss: float | None, name: str = "repurchase_timing") -> str:
    """A version whose test gave a log loss; None: no test."""
    scores = {"model": {"log_loss": log_loss}, "bg_nbd": {"log_loss": 0.5}}
    figures = None if log_loss is None else {"test": "9 customers", "scores": scores, "gains": {}}
    return model_store.keep(
        folder,
        name,
        as_of=date(2024, 1, day),
        write=lambda to: (to / "model.json").write_text(str(log_loss)) and None,
        describe=lambda to, _: (to / "metrics.json").write_text(json.dumps(figures)) and None,
    )


FACTS = {"purpose": "value", "data": "12 rows", "features": [], "method": "gamma-gamma", "limits": "many"}


def lake_built_as_of(day: str) -> duckdb.DuckDBPyConnection:
    lake = duckdb.connect()
    lake.execute("create macro ducklake_snapshots(lake) as table select 7 as snapshot_id; create schema intermediate")
    lake.execute(f"create table intermediate.int_as_of_date as select date '{day}' as as_of_date")
    return lake


@pytest.fixture
def versions(home: Path) -> list[str]:
    """Three versions, the newest first and in use; it could not be tested."""
    return [keep(home / "models", day, loss) for day, loss in ((1, 0.3), (2, 0.25), (3, None))][::-1]


def test_versions_are_listed_newest_first_with_the_one_in_use(versions: list[str]) -> None:
    found = models.versions()
    assert [one.version for one in found] == versions
    assert [one.is_current for one in found] == [True, False, False]
    assert [one.summary for one in found] == [
        "no test out of time",
        "log loss 0.25 on 9 customers",
        "log loss 0.3 on 9 customers",
    ]


def test_promoted_version_is_in_use(versions: list[str], home: Path) -> None:
    assert models.promote("repurchase_timing", versions[2]) == versions[0]
    current = model_store.current(home / "models", "repurchase_timing")
    assert current is not None
    assert current.name == versions[2]


def test_name_of_no_version_is_none(versions: list[str]) -> None:
    with pytest.raises(
        UnknownModel, match=r"^no model repurchase_timing '' in .*; there is 2024-.*: name one of them$"
    ):
        models.promote("repurchase_timing", "")
    assert models.versions()[0].is_current


@pytest.mark.parametrize("pointer", ["", "2024-01-09-1f0c9a2b", "no version"])
def test_version_in_use_that_is_gone_is_one_line(versions: list[str], home: Path, pointer: str) -> None:
    folder = home / "models" / "repurchase_timing"
    (folder / model_store.CURRENT).write_text(pointer + "\n")
    with pytest.raises(
        ModelNotTrained, match=r"is gone, and repurchase_timing is to be used from there: run `millpond models promote "
    ):
        scoring.folder_in_use("repurchase_timing", date(2024, 1, 9))
    models.promote("repurchase_timing", versions[1])
    assert model_store.usable(home / "models", "repurchase_timing") == folder / versions[1]


def test_version_is_promoted_where_the_one_in_use_is_gone(versions: list[str], home: Path) -> None:
    shutil.rmtree(home / "models" / "repurchase_timing" / versions[0])
    assert models.promote("repurchase_timing", versions[1]) == versions[0]
    assert [one.is_current for one in models.versions()] == [True, False]


@pytest.mark.parametrize("figures", [None, "{"])
def test_folder_that_is_no_version_is_named(versions: list[str], home: Path, figures: str | None) -> None:
    folder = home / "models" / "repurchase_timing" / "backup"
    folder.mkdir()
    if figures:
        (folder / "metrics.json").write_text(figures)
    with pytest.raises(UnknownModel, match=rf"^{folder} holds no figures that can be read .*: move it away$"):
        models.versions()


def test_comparison_shows_both_columns(versions: list[str]) -> None:
    shown = CliRunner().invoke(cli.app, ["models", "compare", "repurchase_timing", versions[1], versions[2]])
    assert shown.exit_code == 0
    assert "0.2500" in shown.output
    assert "0.3000" in shown.output


def test_model_that_cannot_be_trained_anew_goes_on_in_the_version_in_use(home: Path) -> None:
    """Only where there is none does doing nothing win."""
    assert models.untrained("uplift") == "So uplift stays unknown"
    version = keep(home / "models", 1, 0.3, name="uplift")
    assert models.untrained("uplift") == f"{version} stays in use"


def test_unknown_version_names_those_there_are(versions: list[str]) -> None:
    with pytest.raises(UnknownModel, match=rf"no model repurchase_timing '2020-01-01-x' .*; there is {versions[0]}, "):
        models.promote("repurchase_timing", "2020-01-01-x")


def test_ranking_of_a_model_that_ranks_nobody_names_those_that_do(versions: list[str]) -> None:
    with pytest.raises(UnknownModel, match=r"^repurchase_timing does not say whom .* response_propensity or uplift: "):
        models.rank("repurchase_timing", value=10, cost=1)


def test_brackets_of_data_and_arguments_are_shown_as_they_are(
    versions: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To rich they would be markup: gone from the line, or an error of their own."""
    report.print_explained(terminal.out, [Explained("accepts [b]x by :gem:", 0.5, [(0.1, "offer [/size]: 2")])])
    assert capsys.readouterr().out == "50.0%  accepts [b]x by :gem:\n  +0.10  offer [/size]: 2\n"
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(sys, "argv", ["millpond", "models", "promote", "repurchase_timing", "[/x]"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.startswith("millpond: no model repurchase_timing '[/x]' in ")


def test_later_messages_are_read_as_the_model_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the test all sizes are numbers; to the model, which learnt from words among them, they are texts."""

    def sent(sizes: list[str]) -> pd.DataFrame:
        attributes = [f'{{"size": {size}}}' for size in sizes]
        frame = pd.DataFrame(
            {"attributes": attributes, "action_id": "a", "event_timestamp": pd.Timestamp("2024-01-01")}
        )
        return frame.assign(**dict.fromkeys(AFFINITY, np.nan))

    def recipients(_: object, of: pd.DataFrame) -> Recipients:
        features = pd.DataFrame({"channel": ["post"] * len(of), "attributes": None})
        return Recipients(features, of["event_timestamp"], np.arange(len(of)))

    messages = {None: sent(["1", '"large"'] * 20), date(2023, 10, 3): sent(["1", "5"])}
    monkeypatch.setattr(dataset, "messages", lambda _, *, sent_from, cut: messages[sent_from])
    monkeypatch.setattr(offers, "recipients", recipients)
    monkeypatch.setattr(learning, "_worth_of_offers", lambda _: [])
    monkeypatch.setattr(backtest, "response", lambda train, test, **_: (train, test))
    train, test = learning._test_response(None, None, date(2024, 1, 1))
    assert train.features["offer_size"].tolist() == ["1", "large"] * 20
    assert test.features["offer_size"].tolist() == ["1", "5"]


def test_home_without_models_says_so(home: Path) -> None:
    with pytest.raises(UnknownModel, match=r"^no model was trained in .*: run `millpond train` first$"):
        models.versions()


@pytest.mark.usefixtures("home")
def test_model_that_could_not_be_tested_says_why_in_its_card_and_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    def test() -> Figures:
        raise TrainingError("12 customers, 0 of value; expected some: evaluate on more customers")

    monkeypatch.setattr(declared_features, "inputs_of", lambda name, inputs: [])
    with lake_built_as_of("2024-01-01") as lake:
        tested = learning._tested(test)
        kept = keeping.keep("customer_value", lake, date(2024, 1, 1), FACTS, tested, lambda folder: None, {})
    shown = StringIO()
    report.print_figures(Console(file=shown), kept)
    why = "None: 12 customers, 0 of value; expected some: evaluate on more customers."
    assert kept.figures is None
    assert why in (kept.folder / "model_card.md").read_text()
    assert shown.getvalue() == f"customer_value {kept.version}: test out of time: {why}\n"


def test_version_of_an_earlier_date_is_used_only_where_the_lake_cannot_use_the_newer_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_features, "inputs_of", lambda name, inputs: [])

    def trained(day: int, *, built: str) -> tuple[str, tuple[str, ...]]:
        with lake_built_as_of(built) as lake:
            kept = keeping.keep("customer_value", lake, date(2024, 1, day), FACTS, "no test", lambda folder: None, {})
        current = model_store.current(home / "models", "customer_value")
        assert current is not None
        return current.name[:10], kept.notices

    assert trained(10, built="2024-01-20") == ("2024-01-10", ())
    assert trained(15, built="2024-01-20") == ("2024-01-15", ())
    in_use, (notice,) = trained(10, built="2024-01-20")
    assert in_use == "2024-01-15"
    assert re.fullmatch(
        r"2024-01-15-\w{8} stays in use, for it knows more; "
        r"`millpond models promote customer_value 2024-01-10-\w{8}` goes back",
        notice,
    )
    assert trained(10, built="2024-01-12") == ("2024-01-10", ())
