"""The arrows: data flows left to right, features look back, and what is declared once is the same everywhere."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from millpond import cli, landing, settings

PROJECT = settings.PROJECT
LAYERS = ["staging", "intermediate", "marts", "features", "labels", "decisions"]

# A layer may read these; the order within marts and intermediate is dbt's.
MAY_READ = {
    "staging": {"staging"},
    "intermediate": {"staging", "intermediate", "marts"},
    "marts": {"staging", "intermediate", "marts"},
    "features": {"staging", "intermediate", "marts", "features"},
    "labels": {"intermediate", "marts"},
    "decisions": {"staging", "intermediate", "marts", "features", "labels", "decisions"},
}

# Python packages and what of ours they may import.
MAY_IMPORT = {
    "feast_lake": {"feast_lake"},
    "training": {"training"},
    "millpond": {"millpond", "training", "feast_lake"},
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from dbt.cli.main import dbtRunner

    target = tmp_path_factory.mktemp("target")
    words = ["parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "lint", "--quiet"]
    result = dbtRunner().invoke([*words, "--target-path", str(target), "--log-path", str(target)])
    assert result.success
    return json.loads((target / "manifest.json").read_text())  # type: ignore[no-any-return]


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_no_model_reads_from_a_later_layer(manifest: dict[str, Any]) -> None:
    layer = {node["unique_id"]: node["fqn"][1] for node in models(manifest)}
    wrong = [
        f"{node['name']} reads {parent}"
        for node in models(manifest)
        for parent in node["depends_on"]["nodes"]
        if parent in layer and layer[parent] not in MAY_READ[node["fqn"][1]]
    ]
    assert not wrong


def test_no_feature_descends_from_a_label(manifest: dict[str, Any]) -> None:
    parents = {node["unique_id"]: node["depends_on"]["nodes"] for node in models(manifest)}

    def ancestors(one: str) -> set[str]:
        return {one}.union(*(ancestors(parent) for parent in parents.get(one, [])))

    features = [
        one
        for one in parents
        if one.split(".")[-1].startswith(("customer_", "last_")) and ".features." in _path(manifest, one)
    ]
    assert features
    assert not [
        one for one in features if any(".labels." in _path(manifest, a) for a in ancestors(one) if a in parents)
    ]


def _path(manifest: dict[str, Any], unique_id: str) -> str:
    return "." + ".".join(manifest["nodes"][unique_id]["fqn"]) + "."


def test_every_model_declares_and_tests_its_grain(manifest: dict[str, Any]) -> None:
    tested = {
        parent
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node.get("test_metadata", {}).get("name") == "grain"
        for parent in node["depends_on"]["nodes"]
    }
    assert {node["name"] for node in models(manifest) if not node["config"]["meta"].get("grain")} == set()
    assert {node["name"] for node in models(manifest)} == {one.split(".")[-1] for one in tested}


def test_marts_features_and_labels_have_contracts_and_described_columns(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        if node["fqn"][1] in ("marts", "features", "labels"):
            assert node["config"]["contract"]["enforced"], node["name"]
            assert all(column["description"] for column in node["columns"].values()), node["name"]


def test_every_feature_states_its_unit(manifest: dict[str, Any]) -> None:
    missing = [
        f"{node['name']}.{column['name']}"
        for node in models(manifest)
        if node["fqn"][1] == "features"
        for column in node["columns"].values()
        if column["name"] not in ("customer_id", "observation_date") and "unit" not in column["config"]["meta"]
    ]
    assert not missing


def test_feast_views_equal_the_contracts(
    manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    import definitions

    for node in definitions.feature_models(manifest):
        view = definitions.feature_view(node)
        keys = {*view.join_keys, "observation_date"}
        assert [field.name for field in view.features] == [name for name in node["columns"] if name not in keys]
        assert {*node["config"]["meta"]["grain"]} == keys


def test_each_kind_of_event_is_pushed_into_a_view_of_one_feature(manifest: dict[str, Any]) -> None:
    """A pushed row replaces its whole view, so the view may hold nothing that the event does not tell."""
    from millpond import event_kinds

    pushed = {
        node["config"]["meta"]["feast"]["push"]: (node["name"], [*node["columns"]])
        for node in models(manifest)
        if "push" in node["config"]["meta"].get("feast", {})
    }
    assert pushed == {
        kind: (told.view, ["customer_id", told.feature, "observation_date"]) for kind, told in event_kinds.KINDS.items()
    }


def test_raw_contract_and_landing_name_the_same_tables(manifest: dict[str, Any]) -> None:
    declared = {(node["source_name"], node["name"]) for node in manifest["sources"].values() if node["schema"] == "raw"}
    assert declared == {(family, table) for family, tables in landing.TABLES.items() for table in tables}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_depend_one_way(package: str) -> None:
    ours = set(MAY_IMPORT)
    for file in (PROJECT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            roots = {name.split(".")[0] for name in names}
            assert roots & ours <= MAY_IMPORT[package], file.name


def test_every_command_has_help_and_stands_in_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text()
    commands = get_command(cli.app).commands  # type: ignore[attr-defined]
    assert commands
    for name, command in commands.items():
        assert command.help, name
        assert f"millpond {name}" in readme, name


def test_exit_codes_are_distinct() -> None:
    from millpond import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UserError)]
    codes = [kind.exit_code for kind in kinds]
    assert len(codes) == len(set(codes))


def test_no_file_names_a_package_index_or_this_machine() -> None:
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    # Written in pieces, so that this file does not name them either.
    forbidden = re.compile("pypi" + r"\.org|python" + "hosted|" + "/work" + "/main|/root" + "/")
    found = [
        name
        for name in listed
        if (PROJECT / name).suffix not in (".png",) and forbidden.search((PROJECT / name).read_text())
    ]
    assert not found
