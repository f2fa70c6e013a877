"""A prefect.yaml that cannot be used; one that can is in test_prefect_yaml.py and test_stack.py."""

from pathlib import Path

import pytest

from model.errors import ConfigurationError
from tasks.operations.stack import deployments
from tasks.operations.stack.prefect_api import PrefectApi


class Unasked(PrefectApi):
    """A server that has no deployment, and shall get none."""

    def deployments(self) -> dict[str, dict[str, object]]:
        return {}

    def set_pool(self, pool: str, template: object, *, renew: bool) -> None:
        """Whatever the file says."""


@pytest.mark.parametrize(
    ("content", "have"),
    [
        (b"deployments: [", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"", "no deployments"),
        (b"deployments: {train: 1}", "no deployments"),
        (b"deployments: [{entrypoint: flows.train.train}]", "no deployments"),
        (b"deployments: [{name: train, parameters: 1}]", "no deployments"),
        (b"deployments: [{name: train, tags: tomorrow}]", "no deployments"),
        (b"deployments: [{name: train, tags: [1, daily]}]", "no deployments"),
        (b"deployments: [{name: train, schedules: [weekly]}]", "no deployments"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, have: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_bytes(content)
    monkeypatch.setattr(deployments, "project_file", lambda _: file)
    with pytest.raises(ConfigurationError) as refused:
        deployments.deploy(Unasked("http://127.0.0.1:9/api"), {}, {})
    assert refused.value.subject == str(file)
    assert have in str(refused.value)


def test_a_preset_that_cannot_be_used_is_told_before_a_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text("deployments: [{name: train, parameters: {forecaster: {preset: mine}}}]", encoding="utf-8")
    monkeypatch.setattr(deployments, "project_file", lambda _: file)
    monkeypatch.setenv("TOMORROW_HOME", str(tmp_path))
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.yaml").write_text("preset: anchored\nlookback: 0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        deployments.deploy(Unasked("http://127.0.0.1:9/api"), {}, {})
    assert refused.value.subject == f"the deployment train in {file}"
    assert "mine.yaml: line 2: lookback: 0; needed: 1 or more" in refused.value.have
