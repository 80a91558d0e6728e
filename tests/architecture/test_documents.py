"""What the documents say of the command line and of each other holds."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from millpond import cli, errors, settings

PLACES = ("*.md", "docs/**/*.md", "feast_lake/*.md")
DOCUMENTS = sorted(file for place in PLACES for file in settings.PROJECT.glob(place))
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(settings.PROJECT)))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\- ]", "", heading.lower())) for heading in headings}


def commands(text: str) -> Iterator[list[str]]:
    """The words after `millpond` of what the examples run."""
    for _, block in BLOCK.findall(text):
        for line in block.splitlines():
            if found := re.match(r"(?:\$ )?millpond ((?!\w+:).*)", line):
                yield shlex.split(found[1], comments=True)


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", document.read_text())):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


@each_document
def test_every_command_of_an_example_is_one_that_the_program_takes(document: Path) -> None:
    for words in commands(document.read_text()):
        command: Any = get_command(cli.app)
        name, rest = "millpond", words
        while subcommands := getattr(command, "commands", None):
            name, *rest = rest
            assert name in subcommands, words
            command = subcommands[name]
        command.make_context(name, rest)


def test_the_table_of_exit_codes_is_what_the_program_gives() -> None:
    text = (settings.PROJECT / "docs" / "operations.md").read_text()
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", text[text.index("## Exit codes") :], re.MULTILINE)]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UserError)]
    given = {kind.exit_code for kind in kinds if kind is not errors.UserError}
    # Of the shell's own: done, no or a finding, the words are off, interrupted.
    assert told == sorted({0, 1, 2, cli.INTERRUPTED} | given)
