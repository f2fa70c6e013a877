"""The secret of a state directory: one, its owner's alone, and told of where it cannot be used."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.settings import Settings
from tasks.system.access.secret import Keys, state_keys
from tests.project import ROOT

RACER = """
import os, sys
from pathlib import Path
from tasks.settings import Settings
from tasks.system.access.secret import state_keys
os.umask(0)
print("ready", flush=True)
sys.stdin.readline()
print(state_keys(Settings(home=Path(sys.argv[1]))).secret)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def test_racing_processes_make_one_secret_that_its_owner_alone_may_read_whatever_the_umask(settings: Settings) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(settings.home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    made = {racer.communicate("\n", timeout=60)[0].strip() for racer in racers}
    assert made == {(settings.home / "secret").read_text()}
    assert stat.S_IMODE((settings.home / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert [file.name for file in settings.home.iterdir() if file.name.startswith("secret")] == ["secret"]


def test_it_stays_the_same_and_no_key_shows_another_one(settings: Settings, tmp_path: Path) -> None:
    keys = state_keys(settings)
    assert state_keys(settings) == keys
    assert state_keys(Settings(home=tmp_path / "other")) != keys
    derived = {keys.secret, keys.proof, keys.mlflow, keys.prefect, keys.prefect.partition(":")[2]}
    assert len(derived) == 5
    assert not any(word in repr(keys) for word in derived)


def test_keys_are_derived_as_they_always_were() -> None:
    """Whoever has set one for a program of their own keeps it: HMAC-SHA256 of the use, with the secret."""
    keys = Keys("0" * 64)
    assert keys.mlflow == "c56486368db4e290f16c3798ad20f2fa950b434caab9395388ac1cfb4ec6ac71"
    assert keys.prefect.startswith("tomorrow:")


@pytest.mark.parametrize(
    ("text", "mode", "have"),
    [
        pytest.param("0" * 64, 0o640, "others may read it", id="readable"),
        pytest.param("0" * 64, 0o602, "others may read it, or write it", id="writable"),
        pytest.param("", 0o600, "something else", id="empty"),
        pytest.param("0" * 63, 0o600, "something else", id="cut"),
        pytest.param("\x00\xff" * 32, 0o600, "something else", id="not text"),
    ],
)
def test_one_that_cannot_be_trusted_is_named_with_what_to_do(
    text: str, mode: int, have: str, settings: Settings
) -> None:
    settings.home.mkdir(mode=0o700)
    file = settings.home / "secret"
    file.write_bytes(text.encode("latin-1"))
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=have) as refusal:
        state_keys(settings)
    assert str(file) in str(refusal.value)
    assert "tomorrow up" in refusal.value.remedy
    assert refusal.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_one_that_another_user_has_put_there_is_refused(settings: Settings) -> None:
    state_keys(settings)
    os.chown(settings.home / "secret", 65534, 65534)
    with pytest.raises(ConfigurationError, match="belongs to user 65534, and this is user 0") as refusal:
        state_keys(settings)
    assert f"chown -R 0 {settings.home}" in refusal.value.remedy
