"""What the documents say is what there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.cli.parser import COMMANDS
from model.config import ForecasterConfig
from tasks.settings import Settings
from tests.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def keys(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted keys of a configuration."""
    found = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += keys(inner, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_stands_in_the_readme(command: str) -> None:
    assert f"| `tomorrow {command}" in README


def test_the_readme_names_no_command_that_is_not_there() -> None:
    assert set(re.findall(r"`tomorrow ([a-z]+)", README)) == set(COMMANDS)


@pytest.mark.parametrize("key", [*keys(Settings), *keys(ForecasterConfig)])
def test_each_key_is_documented(key: str) -> None:
    documents = "".join(file.read_text(encoding="utf-8") for file in DOCUMENTS)
    assert f"`{key}`" in documents


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_links_and_pictures_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (file.parent / target).exists(), target


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size <= 200 * 1024, picture.name
