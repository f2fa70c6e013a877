"""The house that docs/architecture.md draws is the one that stands."""

import re
import tomllib

import pytest

from tests.project import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = ("flows", "tasks", "model")
MOST_ENTRIES = 12
LONGEST_FILE = 300


def rooms(package: str) -> list[str]:
    """The folders of a package, and of its folders."""
    return [str(file.parent.relative_to(ROOT)) for file in sorted((ROOT / package).rglob("__init__.py"))]


ROOMS = [room for package in PACKAGES for room in rooms(package)]


def drawn() -> set[str]:
    """The rooms that the tree of docs/architecture.md names: `package/room`."""
    tree = ARCHITECTURE.partition("## Where is")[2].partition("```\n")[2].partition("```")[0]
    package, found = "", set()
    for line in tree.splitlines():
        if top := re.match(r"(\w+)/ ", line):
            package = top[1]
        elif room := re.match(r"  (\w+)/ ", line):
            found.add(f"{package}/{room[1]}")
    return found


def test_the_tree_names_each_room_and_no_other() -> None:
    assert drawn() == {room for room in ROOMS if room.count("/") == 1}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_few_entries(room: str) -> None:
    entries = [entry for entry in (ROOT / room).iterdir() if entry.name not in ("__init__.py", "__pycache__")]
    assert len(entries) <= MOST_ENTRIES


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short(package: str) -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in (ROOT / package).rglob("*.py")}
    assert {str(file): length for file, length in lengths.items() if length > LONGEST_FILE} == {}


def test_the_picture_and_the_text_name_rooms_and_files_that_are_there() -> None:
    named = set(re.findall(r"\b((?:flows|tasks|model|tests)/[\w/]*\w(?:\.py)?)", ARCHITECTURE))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("package", ["model", "tasks"])
def test_the_order_of_the_rooms_is_that_of_the_walls(package: str) -> None:
    """The table's row, from left to right, is the contract's list of layers from the lowest to the highest."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract.get("containers") == [package]]
    walls = [set(re.findall(r"\w+", layer)) for layer in reversed(layers)]
    row = re.search(rf"^\| `{package}` \| (.*) \|$", ARCHITECTURE, re.MULTILINE)
    assert row is not None
    assert [set(re.findall(r"`(\w+)`", part)) for part in row[1].split(" < ")] == walls
