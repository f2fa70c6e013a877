"""The example of docs/python-api.md does what the page says."""

import re

import pytest

from model.evaluation.evaluation import Evaluation
from model.forecaster.forecasts import Forecasts
from tests.project import ROOT

PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("on_tensorflow")
def test_the_example_judges_the_test_period_and_forecasts_the_session_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, object] = {}
    exec(compile(EXAMPLE, "docs/python-api.md", "exec"), names)  # noqa: S102 - our own page
    judged, tomorrow = names["judged"], names["tomorrow"]
    assert isinstance(judged, Evaluation)
    assert isinstance(tomorrow, Forecasts)
    assert len(judged.sessions) == 21
    assert 0 < judged.crps < judged.naive_crps
    printed = capsys.readouterr().out
    assert re.search(r"^CRPS \$0\.\d{3}, naive \$0\.\d{3}, skill \+0\.\d{3}$", printed, re.MULTILINE)
    assert re.search(r"^median 10\d\.\d\d, 80 % interval 10\d\.\d\d to 10\d\.\d\d$", printed, re.MULTILINE)
