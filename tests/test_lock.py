"""requirements.lock: all of it with hashes and no host's name, in two parts; and what is made of it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.test_dependencies import PROJECT, names, normal

# What a user's `make run` has no use for. Of the extra `dev` the product needs some, too: MLflow brings cryptography.
TOOLS = {
    "cyclonedx-bom",
    "hypothesis",
    "import-linter",
    "mypy",
    "pip-audit",
    "playwright",
    "pre-commit",
    "pytest",
    "ruff",
    "zensical",
}
REQUIREMENT = re.compile(r"([\w.-]+)==\S+( ; [^\\]+)? \\")


def part(name: str) -> str:
    """One part of the lock, as `make` installs it."""
    done = subprocess.run([ROOT / ".ci" / "lock-part", name], check=True, capture_output=True, text=True)
    return done.stdout


def locked(text: str) -> list[str]:
    """The names that it pins, in order."""
    found = [REQUIREMENT.fullmatch(line) for line in text.splitlines() if line[:1] not in ("#", " ")]
    return [normal(match[1]) for match in found if match]


@pytest.mark.parametrize("name", ["product", "tools"])
def test_each_requirement_is_pinned_and_has_hashes(name: str) -> None:
    lines = part(name).splitlines()
    pinned = [number for number, line in enumerate(lines) if line[:1] not in ("#", " ")]
    assert pinned
    assert [lines[number] for number in pinned if not REQUIREMENT.fullmatch(lines[number])] == []
    hashed = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [lines[number] for number in pinned if not hashed.fullmatch(lines[number + 1])] == []


def test_the_parts_are_the_whole_lock_and_share_nothing() -> None:
    whole = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert part("product") + part("marker") + part("tools") == whole
    product, tools = locked(part("product")), locked(part("tools"))
    assert set(product) & set(tools) == set()
    assert product + tools == locked(whole)


def test_no_tool_for_development_is_installed_to_run_the_product() -> None:
    assert names(PROJECT["optional-dependencies"]["dev"]) >= TOOLS
    assert set(locked(part("product"))) & TOOLS == set()
    assert set(locked(part("tools"))) >= TOOLS


def test_a_grammar_that_each_import_of_prefect_would_load_is_not_locked() -> None:
    assert set(locked(part("product") + part("tools"))) & {"rfc3987-syntax", "lark"} == set()


def test_what_the_product_imports_is_installed_to_run_it() -> None:
    assert names(PROJECT["dependencies"]) <= set(locked(part("product")))
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert names(build) == names(PROJECT["optional-dependencies"]["build"]) <= set(locked(part("product")))


def test_the_gpus_tensorflow_is_the_locks_and_its_libraries_are_not_installed_without_them() -> None:
    (wanted,) = PROJECT["optional-dependencies"]["gpu"]
    assert f"\n{wanted.replace('[and-cuda]', '')} \\\n" in part("product")
    assert [name for name in locked(part("product") + part("tools")) if name.startswith("nvidia")] == []


def test_entries_are_found_by_name_with_their_hashes_and_one_that_is_missing_is_told() -> None:
    command = [str(ROOT / ".ci" / "lock-part"), "named"]
    found = subprocess.run([*command, "boto3", "mlflow"], check=True, capture_output=True, text=True).stdout
    assert locked(found) == ["mlflow", "boto3"]
    whole = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\w)", found.removesuffix("\n")):
        assert f"\n{entry}\n" in whole
        assert "--hash=" in entry
    lacking = subprocess.run([*command, "boto3", "nosuch"], check=False, capture_output=True, text=True)
    assert (lacking.returncode, lacking.stderr) == (1, "requirements.lock has no nosuch\n")


def test_the_lock_names_no_host() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_bill_of_materials_lists_what_the_lock_has_for_the_product(tmp_path: Path) -> None:
    file = tmp_path / "bill of materials.json"
    subprocess.run([ROOT / ".ci" / "bill-of-materials", sys.executable, file], check=True, cwd=tmp_path)
    bill = json.loads(file.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "tomorrow")
    assert bill["metadata"]["component"]["version"] == PROJECT["version"]
    assert sorted(normal(component["name"]) for component in bill["components"]) == sorted(locked(part("product")))
    assert all(component["externalReferences"][0]["hashes"] for component in bill["components"])
