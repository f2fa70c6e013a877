"""What the documents say is what there is."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from docs.check_pages import faults
from flows.cli.parser import COMMANDS
from model.config import ForecasterConfig
from tasks.settings import Settings
from tests.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND_LIST = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
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
def test_each_command_is_documented(command: str) -> None:
    assert f"| `tomorrow {command}" in COMMAND_LIST


def test_no_command_is_named_that_is_not_there() -> None:
    assert set(re.findall(r"`tomorrow ([a-z]+)", README + COMMAND_LIST)) == set(COMMANDS)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


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


def test_the_pages_have_each_document_once() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    listed = re.findall(r"'([\w-]+\.md)'", str(nav))
    assert sorted(listed) == sorted(file.name for file in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ('<script src="https://elsewhere.example/a.js">', "loads https://elsewhere.example/a.js from another host"),
        ('<link href="//elsewhere.example/a.css">', "loads //elsewhere.example/a.css from another host"),
        (
            '<p style="background: url(https://elsewhere.example/a)">',
            "loads https://elsewhere.example/a from another host",
        ),
        ('<a href="gone.html">', "names gone.html, which is not there"),
        ('<a href="two.html#gone">', "names two.html#gone, which is not there"),
        ('<img src="pictures/gone.png">', "names pictures/gone.png, which is not there"),
        ('<a href="https://elsewhere.example/">', None),
        ('<a href="two.html#here">', None),
    ],
)
def test_pages_load_nothing_from_elsewhere_and_their_links_lead_somewhere(
    tmp_path: Path, written: str, fault: str | None
) -> None:
    (tmp_path / "one.html").write_text(written, encoding="utf-8")
    (tmp_path / "two.html").write_text('<h2 id="here">', encoding="utf-8")
    assert list(faults(tmp_path)) == ([f"one.html {fault}"] if fault else [])


def test_styles_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text("<p>", encoding="utf-8")
    (tmp_path / "a.css").write_text("@font-face { src: url('https://elsewhere.example/f.woff') }", encoding="utf-8")
    assert list(faults(tmp_path)) == ["a.css loads https://elsewhere.example/f.woff from another host"]


def test_no_pages_are_a_fault(tmp_path: Path) -> None:
    assert len(list(faults(tmp_path))) == 1
