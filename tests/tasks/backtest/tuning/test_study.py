"""A study draws the same whoever does its trials and however often it is killed, and is read again from its file."""

import math
import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from model.config import PRESETS
from model.errors import ConfigurationError
from model.tuning.space import LEARNING_RATE, Value, space_around, values_of
from model.tuning.trial import TrialResult
from tasks.backtest.tuning.study import BATCH, Asked, Study, best_of, new_study_file, study_files
from tasks.backtest.tuning.trial import EPOCHS, OTHERS, _hopeless
from tasks.settings import Settings

ANCHORED = PRESETS["anchored"]
TRIALS = 2 * BATCH + 3


def opened(file: Path, seed: int = 0) -> Study:
    """The study in a file, begun if it was not."""
    study = Study(file, space_around(ANCHORED), values_of(ANCHORED), seed)
    if study.first is None:
        study.begin(date(2020, 1, 2), "digest")
    return study


def came(asked: Asked) -> TrialResult:
    """A trial whose CRPS is known from what it drew; one in five is pruned."""
    crps = abs(float(asked.values["lookback"] or 0) - 15) + float(asked.values[LEARNING_RATE] or 0)
    is_pruned = asked.number % 5 == 4
    return TrialResult(
        values=asked.values,
        held_back=(0.5, 0.4),
        metrics={} if is_pruned else {"crps": crps},
        seconds=1.0,
        processor_seconds=1.0,
    )


def drawn(study: Study, order: Callable[[tuple[Asked, ...]], list[Asked]] = list) -> list[Mapping[str, Value]]:
    """What all trials draw, if they end in some order."""
    while asked := study.next_batch(TRIALS):
        for each in order(asked):
            study.keep(each.number, came(each))
        study.tell(TRIALS)
    return [result.values for result in study.results()]


def test_the_order_in_which_trials_end_changes_nothing(tmp_path: Path) -> None:
    first = drawn(opened(tmp_path / "a-1.jsonl"))
    assert len(first) == TRIALS
    assert drawn(opened(tmp_path / "b-1.jsonl"), lambda asked: list(reversed(asked))) == first
    assert drawn(opened(tmp_path / "c-1.jsonl", seed=1)) != first
    assert first[0] == values_of(ANCHORED)
    assert len({tuple(values.items()) for values in first}) > TRIALS - 3


@pytest.mark.parametrize("done", [0, 3, BATCH, BATCH + 1])
def test_a_killed_study_goes_on_where_it_was(tmp_path: Path, done: int) -> None:
    whole = drawn(opened(tmp_path / "whole-1.jsonl"))
    file = tmp_path / "killed-1.jsonl"
    study, kept = opened(file), 0
    while kept < done:
        for each in study.next_batch(TRIALS)[: done - kept]:
            study.keep(each.number, came(each))
            kept += 1
        study.tell(TRIALS)
    study.next_batch(TRIALS)
    with file.open("ab") as half:
        half.write(b'{"op_code": 4, "half')
    again = opened(file)
    assert len(again.results()) == done
    assert [each.number for each in again.next_batch(TRIALS)] == list(range(done, BATCH * (done // BATCH + 1)))
    assert drawn(again) == whole


def test_wherever_it_was_killed_a_study_draws_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # hundreds of them; here no power is cut
    whole = tmp_path / "whole-1.jsonl"
    values = drawn(opened(whole))
    lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    asked, told = (next(at for at, line in enumerate(lines) if f'"op_code":{code},' in line) for code in (5, 7))
    # Before it has begun, between two values of a trial, when a batch is done, and while it is told.
    for kept in (0, 2, 3, 4, asked + 12, told, told + 1, told + 5):
        file = tmp_path / f"killed-{kept}.jsonl"
        file.write_text("".join(lines[:kept]).replace(whole.stem, file.stem), encoding="utf-8")
        assert drawn(opened(file)) == values, kept


def test_a_study_with_fewer_trials_than_were_asked_for_does_no_others_and_goes_on_later(tmp_path: Path) -> None:
    study = opened(tmp_path / "a-1.jsonl")
    for each in study.next_batch(TRIALS):
        study.keep(each.number, came(each))
    assert len(study.next_batch(TRIALS)) == BATCH
    for each in study.next_batch(BATCH + 2):
        study.keep(each.number, came(each))
    assert [study.next_batch(trials) for trials in (1, BATCH, BATCH + 2)] == [(), (), ()]
    assert len(study.results()) == BATCH + 2
    assert [each.number for each in study.next_batch(TRIALS)] == list(range(BATCH + 2, 2 * BATCH))


def test_a_study_that_is_done_has_nothing_left_and_takes_more_trials(tmp_path: Path) -> None:
    study = opened(tmp_path / "a-1.jsonl")
    before = drawn(study)
    assert study.next_batch(TRIALS) == ()
    assert [each.number for each in study.next_batch(TRIALS + 2)] == [TRIALS, TRIALS + 1]
    assert [result.values for result in study.results()] == before


def test_only_trials_of_earlier_batches_that_were_not_pruned_are_what_others_are_compared_with(tmp_path: Path) -> None:
    study = opened(tmp_path / "a-1.jsonl")
    for each in study.next_batch(TRIALS):
        study.keep(each.number, came(each))
        assert study.finished_losses() == ()
    study.tell(TRIALS)
    assert study.finished_losses() == ((0.5, 0.4),) * (BATCH - 1)


@pytest.mark.parametrize("line", ["nonsense", "[]", "1", "null", "{}", '{"op_code": 99}', "\0\0"])
def test_a_damaged_file_is_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "a-1.jsonl"
    opened(file)
    with file.open("a", encoding="utf-8") as damaged:
        damaged.write(f"{line}\n{line}\n")
    with pytest.raises(ConfigurationError, match="not what Optuna wrote"):
        opened(file)


def test_a_damaged_result_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a-1.jsonl"
    study = opened(file)
    (asked,) = study.next_batch(1)
    study.keep(0, came(asked))
    file.write_text(file.read_text(encoding="utf-8").replace("held_back", "held"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not what Optuna wrote"):
        opened(file)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a-1.jsonl").mkdir()
    with pytest.raises(ConfigurationError, match="Is a directory"):
        opened(tmp_path / "a-1.jsonl")


def test_another_study_gets_a_file_that_was_never_there(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert new_study_file(settings, "key").name == "key-1.jsonl"
    for name in ("key-2.jsonl", "key-10.jsonl", "key-1 copy.jsonl", "key-old.jsonl"):
        (tmp_path / "tuning" / name).touch()
    assert [file.name for file in study_files(settings, "key")] == ["key-2.jsonl", "key-10.jsonl"]
    assert new_study_file(settings, "key").name == "key-11.jsonl"


def test_the_best_is_the_lowest_crps_that_counts() -> None:
    def result(crps: float | None) -> TrialResult:
        metrics = {} if crps is None else {"crps": crps}
        return TrialResult(values={}, held_back=(), metrics=metrics, seconds=0.0, processor_seconds=0.0)

    results = [result(2.0), result(None), result(1.0), result(1.5), result(1.0)]
    assert best_of(results) == 2
    assert best_of(results, {2, 4}) == 3


def test_a_trial_that_is_worse_than_the_median_by_then_is_hopeless() -> None:
    others = tuple((1.0, 0.9, 0.8, 0.7, level) for level in (0.5, 0.55, 0.6, 0.65, 0.7))
    hopeless = _hopeless(others)
    told = [hopeless(epoch, 2.0) for epoch in range(1, EPOCHS + 3)]
    assert told == [False] * (EPOCHS - 1) + [True, True, True]
    assert not any(_hopeless(others)(epoch, 0.1) for epoch in range(1, 6))
    assert not any(_hopeless(others[: OTHERS - 1])(epoch, 2.0) for epoch in range(1, 6))


def test_courses_without_a_loss_are_compared_with_nothing_and_those_that_are_no_numbers_do_no_harm() -> None:
    assert not _hopeless(((),) * OTHERS)(EPOCHS, 2.0)
    unknown = (math.nan,) * EPOCHS
    others = ((0.5,) * EPOCHS,) * OTHERS
    assert [_hopeless((*others, unknown, ()))(EPOCHS, loss) for loss in (0.4, 0.6)] == [False, True]
