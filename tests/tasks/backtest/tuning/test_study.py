"""A study draws the same whoever does its trials and however often it is killed, and is read again from its file."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from model.config import PRESETS
from model.errors import ConfigurationError
from model.tuning.space import LEARNING_RATE, Value, space_around, values_of
from model.tuning.trial import TrialResult
from tasks.backtest.tuning.study import BATCH, Asked, Study, best_of
from tasks.backtest.tuning.trial import EPOCHS, OTHERS, _hopeless

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


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a-1.jsonl"
    opened(file)
    file.write_text("nonsense\nnonsense\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not what Optuna wrote"):
        opened(file)


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
