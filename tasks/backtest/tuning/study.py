"""A study: every trial that was asked for and what it came to, kept by Optuna in a file of the state directory.

Trials are asked for in batches, and what a batch came to is told in the order of its numbers once all of it is there.
Each value is drawn with a seed of its own. So the same study draws the same values however many processes there are,
whichever ends first, and wherever it was killed in between.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from model.errors import ConfigurationError
from model.tuning.space import LEARNING_RATE, Space, Value, rounded
from model.tuning.trial import TrialResult
from tasks.settings import Settings
from tasks.system.disk_errors import folder_fault
from tasks.system.durable_file import make_folder_durably
from tasks.tracking.provenance import digest

if TYPE_CHECKING:
    import optuna

FOLDER = "tuning"
# The name of a study: its key, and how many with that key there were before it and itself.
NUMBERED = r"[0-9a-z]+-[0-9]+"
# How many trials are drawn before the first of them is told: the processes that can share them.
BATCH = 8
# Drawn at random before what was told guides the others.
AT_RANDOM = 10
FIRST, DATA, RUN, RESULT = "first", "data", "run", "result"


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that is to be done."""

    number: int
    values: Mapping[str, Value]


class Study:
    """A study, opened; whoever opens it holds its lock.

    name: its key, and how many with that key there were before
    """

    def __init__(self, file: Path, space: Space, own: Mapping[str, Value], seed: int) -> None:
        self.name, self._file = file.stem, file
        self._space, self._own, self._seed = space, own, seed
        self._study = _opened(file)

    @property
    def first(self) -> date | None:
        """The first session that it may not see; None where it has not begun."""
        text = self._study.user_attrs.get(FIRST)
        return None if text is None else date.fromisoformat(text)

    @property
    def data(self) -> str | None:
        """The digest of the prices that it sees."""
        return self._study.user_attrs.get(DATA)

    @property
    def run_id(self) -> str | None:
        """Its run in MLflow."""
        return self._study.user_attrs.get(RUN)

    def begin(self, first: date, data: str) -> None:
        """Write down what it may see; the first session comes last, since a study without it has not begun."""
        # The base is the first trial: the others are compared with it.
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(self._drawn(self._own))
        self._study.set_user_attr(DATA, data)
        self._study.set_user_attr(FIRST, str(first))

    def set_run(self, run_id: str) -> None:
        """Write down its run in MLflow."""
        self._study.set_user_attr(RUN, run_id)

    def next_batch(self, trials: int) -> tuple[Asked, ...]:
        """What is left to do of the present batch, of so many trials in all; none where all are done."""
        self.tell(trials)  # a process may have been killed before it told a batch that is done
        end = self._end(trials)
        for _ in range(len(self._asked()), end):
            self._suggested(self._study.ask())
        left = [frozen for frozen in self._asked()[len(self._told()) : end] if RESULT not in frozen.user_attrs]
        return tuple(Asked(frozen.number, self._suggested(self._trial(frozen))) for frozen in left)

    def keep(self, number: int, result: TrialResult) -> None:
        """Keep what a trial came to; it is told with its batch."""
        frozen = self._asked()[number]
        self._trial(frozen).set_user_attr(RESULT, json.dumps(asdict(result)))

    def tell(self, trials: int) -> None:
        """Tell Optuna what the present batch came to, if all of it is there."""
        from optuna.trial import TrialState

        batch = self._asked()[len(self._told()) : self._end(trials)]
        results = [_result(frozen) for frozen in batch]
        if not all(results):
            return
        for frozen, result in zip(batch, results, strict=True):
            assert result is not None  # noqa: S101 - as was asked above
            trial = self._trial(frozen)
            # A process that was killed while it told may have reported some of them.
            for epoch, loss in enumerate(result.held_back, 1):
                if epoch not in frozen.intermediate_values:
                    trial.report(loss, epoch)
            if result.crps is None:
                self._study.tell(trial, state=TrialState.PRUNED)
            else:
                self._study.tell(trial, result.crps)

    def results(self) -> tuple[TrialResult, ...]:
        """What the trials came to that are done, in the order of their numbers."""
        found = map(_result, self._asked())
        return tuple(result for result in found if result is not None)

    def finished_losses(self) -> tuple[tuple[float, ...], ...]:
        """The losses on the windows held back, of each trial of earlier batches that was not pruned."""
        found = map(_result, self._told())
        return tuple(result.held_back for result in found if result is not None and result.crps is not None)

    def _asked(self) -> "list[optuna.trial.FrozenTrial]":
        """The trials that were asked for: the base waits to be the first of them."""
        from optuna.trial import TrialState

        return [each for each in self._study.get_trials(deepcopy=False) if each.state != TrialState.WAITING]

    def _told(self) -> "list[optuna.trial.FrozenTrial]":
        return [each for each in self._asked() if each.state.is_finished()]

    def _end(self, trials: int) -> int:
        """The number after the last trial of the present batch."""
        return min(trials, (len(self._told()) // BATCH + 1) * BATCH)

    def _trial(self, frozen: "optuna.trial.FrozenTrial") -> "optuna.trial.Trial":
        """A trial that an earlier process may have asked for."""
        import optuna

        return optuna.trial.Trial(self._study, frozen._trial_id)

    def _suggested(self, trial: "optuna.trial.Trial") -> dict[str, Value]:
        """What a trial draws; one that has drawn before gives the same again. Ordered choices are drawn by place."""
        values: dict[str, Value] = {}
        for key, choices in self._space.choices.items():
            self._seed_for(trial, key)
            values[key] = choices[trial.suggest_int(key, 0, len(choices) - 1)]
        self._seed_for(trial, LEARNING_RATE)
        drawn = trial.suggest_float(LEARNING_RATE, self._space.least_rate, self._space.largest_rate, log=True)
        own = float(self._own[LEARNING_RATE] or 0)
        return {**values, LEARNING_RATE: own if drawn == own else rounded(drawn)}

    def _seed_for(self, trial: "optuna.trial.Trial", key: str) -> None:
        """Draw a value as it would be drawn had no process been killed between it and the values before it."""
        from optuna.samplers import TPESampler

        seed = int(digest([self._seed, trial.number, key])[:8], 16)
        self._study.sampler = TPESampler(n_startup_trials=AT_RANDOM, seed=seed)

    def _drawn(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Values as a trial has drawn them."""
        places = {key: choices.index(values[key]) for key, choices in self._space.choices.items()}
        return {**places, LEARNING_RATE: values[LEARNING_RATE]}


def study_files(settings: Settings, key: str) -> list[Path]:
    """The files of the studies with a key, oldest first; a copy that somebody has made beside them is none."""
    found = (settings.home / FOLDER).glob(f"{key}-*.jsonl")
    return sorted((file for file in found if re.fullmatch(NUMBERED, file.stem)), key=_number)


def new_study_file(settings: Settings, key: str) -> Path:
    """A file for another study with a key."""
    make_folder_durably(settings.home / FOLDER)
    last = max(map(_number, study_files(settings, key)), default=0)
    return settings.home / FOLDER / f"{key}-{last + 1}.jsonl"


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _opened(file: Path) -> "optuna.Study":
    """Optuna's study; ConfigurationError where its file is damaged."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    remedy = "put it back, or begin another study with --again"
    try:
        _drop_half_line(file)
        storage = JournalStorage(JournalFileBackend(str(file), lock_obj=cast(Any, _NoLock())))
        study = optuna.create_study(
            storage=storage,
            study_name=file.stem,
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.NopPruner(),
        )
        for frozen in study.get_trials(deepcopy=False):
            _result(frozen)
        return study
    except OSError as error:
        raise folder_fault(f"study {file}", error, remedy) from None
    # Optuna does not check what it reads, so a damaged record ends in any of these.
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigurationError(
            f"study {file}",
            have=f"not what Optuna wrote: {type(error).__name__}",
            need="the file as it was",
            remedy=remedy,
        ) from None


def _drop_half_line(file: Path) -> None:
    """Take away what a killed process has half written: the record of it would make the file unreadable."""
    if not file.exists():
        return
    content = file.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as opened:
            opened.truncate(whole)


class _NoLock:
    """No lock on the file: whoever opens a study holds a lock of ours, which goes when its process dies."""

    def acquire(self) -> bool:
        """There is nothing to wait for."""
        return True

    def release(self) -> None:
        """There is nothing to give back."""


def _result(frozen: "optuna.trial.FrozenTrial") -> TrialResult | None:
    raw = frozen.user_attrs.get(RESULT)
    if raw is None:
        return None
    read = json.loads(raw)
    return TrialResult(**{**read, "held_back": tuple(read["held_back"])})


def best_of(results: Sequence[TrialResult], leave_out: Collection[int] = ()) -> int:
    """The number of the trial with the lowest CRPS, the first of equal ones; `leave_out`: those that do not count."""
    counted = [at for at in range(len(results)) if at not in leave_out]
    return min(counted, key=lambda at: (results[at].crps is None, results[at].crps or 0.0))
