"""What Prefect's pages show: keys with the model's name, and a forecast with its intervals and a picture."""

import re
from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from flows.runs.artifacts import artifact_key, forecast_note
from model.forecaster.explanation import Explanation
from tests.tasks.forecasts.recorded import ahead, distributed, forecast


@pytest.mark.parametrize(
    ("model", "key"),
    [("META-Open", "forecast-meta-open"), ("BRK-B-Close", "forecast-brk-b-close"), ("SAMPLE", "forecast-sample")],
)
def test_a_key_has_the_models_name(model: str, key: str) -> None:
    assert artifact_key("forecast", model) == key


def test_models_whose_names_differ_in_signs_alone_have_keys_of_their_own() -> None:
    keys = {artifact_key("score", f"{ticker}-Open") for ticker in ("GSPC", "^GSPC", "BRK-B", "BRK.B", "EURUSD=X")}
    assert len(keys) == 5
    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in keys)


def test_a_forecast_shows_its_intervals_and_a_picture_of_them() -> None:
    made = distributed(replace(forecast(40), forecast=100.0, currency="USD"), half_80=1.5, half_95=2.25)
    assert "usual width" not in forecast_note(made)
    note = forecast_note(replace(made, explanation=Explanation(usual=0.02, factors={"moves": 1.5}, scale=0.03)))
    assert "\n\n1.50 times its usual width: 1.50 from the last sessions' moves.\n\nNaive" in note
    assert "| 80 % interval | $98.50 | $101.50 |" in note
    assert "| 95 % interval | $97.75 | $102.25 |" in note
    picture = re.search(r"!\[[^]]*\]\(data:image/svg\+xml;base64,([^)]*)\)", note)
    assert picture is not None
    drawn = ElementTree.fromstring(b64decode(picture[1]))  # noqa: S314 - a picture of ours
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"forecast $100.00", f"naive {made.money.price(made.naive)}", "$97.75", "$102.25"} <= set(texts)


def test_a_forecast_without_a_distribution_shows_no_interval() -> None:
    note = forecast_note(forecast(40))
    assert "interval" not in note
    assert "data:image/svg+xml;base64," in note


def test_later_sessions_are_a_cone_and_a_table_that_names_who_forecast_each() -> None:
    made = distributed(replace(forecast(40), forecast=100.0, currency="USD"))
    note = forecast_note(made, [ahead(made), replace(ahead(made, 13), version=None)])
    assert "sessions ahead" not in forecast_note(made)
    pictures = re.findall(r"!\[([^]]*)\]\(data:image/svg\+xml;base64,([^)]*)\)", note)
    assert [text for text, _ in pictures][1:] == ["TEST Open, 5 and 13 sessions ahead"]
    drawn = ElementTree.fromstring(b64decode(pictures[1][1]))  # noqa: S314 - a picture of ours
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == [made.money.price(made.naive), "1", "5", "13"]
    table = [line for line in note.splitlines() if line.startswith("|")][-4:]
    assert table == [
        "| sessions ahead | session | median | 80 % | 95 % | by |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 5 | 2019-03-04 | $100.00 | $99.00 to $101.00 | $98.00 to $102.00 | version 1 |",
        "| 13 | 2019-03-14 | $100.00 | $99.00 to $101.00 | $98.00 to $102.00 | naive |",
    ]
