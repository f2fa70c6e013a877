"""`tomorrow presets`: the presets, what each is and what it costs. It needs neither Prefect nor Keras."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import preset as preset_place
from flows.cli.result import Answer, CommandResult
from model.config import PRESETS, ForecasterConfig
from model.errors import TomorrowError
from model.network.size import networks_of, weights_of
from model.presets import ABOUT, as_text, base_of, changes, flat, preset_label

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.settings.own_presets import OwnPreset
    from tasks.training.cost import Taken


class TakenAnswer(Answer):
    """How long the newest trainings here took: the median of so many, without the proof."""

    trainings: int
    seconds: float


class PresetAnswer(Answer):
    """A preset.

    file:     null for a built-in one
    base:     the built-in preset that it differs least from; `changed`: how, by dotted key
    networks: that are fitted for a forecast, each with so many weights, for at most so many epochs
    fits:     how often a whole proof fits them
    taken:    null where it was not trained on this state directory
    """

    name: str
    file: str | None
    about: str
    base: str | None
    changed: dict[str, str]
    networks: int
    weights: int
    epochs: int
    fits: int
    taken: TakenAnswer | None
    config: dict[str, Any]


class PresetsAnswer(Answer):
    """The object of `tomorrow presets --json`; `faults`: what cannot be used or read, and why."""

    presets: tuple[PresetAnswer, ...]
    faults: tuple[str, ...]


@command("tomorrow presets anchored")
def presets(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="A preset, or its file, FILE.yaml (default: all).", parser=preset_place),
    ] = "",
) -> CommandResult:
    """Show the presets, built in and your own, what each is and what it costs.

    Your own are files in `presets` of the state directory.
    """
    settings, _ = prepare()
    from tasks.settings.own_presets import own_presets, preset_named

    faults: list[str] = []
    shown: dict[str, ForecasterConfig | OwnPreset] = {}
    if name:
        shown[name] = PRESETS[name] if name in PRESETS else preset_named(name, settings)
    else:
        found, errors = own_presets(settings)
        shown = {**PRESETS, **{own.name: own for own in found}}
        faults += [str(error) for error in errors]
    answers = _answers(list(shown.values()), settings, faults)
    answer = PresetsAnswer(presets=answers, faults=tuple(faults))
    return CommandResult(answer, "\n".join(_text(answer, whole=bool(name))))


def _answers(
    shown: "Sequence[ForecasterConfig | OwnPreset]", settings: "Settings", faults: list[str]
) -> tuple[PresetAnswer, ...]:
    """What is said of each; what keeps the measured costs from being read is one of the faults."""
    from tasks.training.cost import seconds_taken

    configs = [each if isinstance(each, ForecasterConfig) else each.config for each in shown]
    taken: dict[str, Taken] = {}
    try:
        taken = seconds_taken(settings, map(preset_label, configs))
    except TomorrowError as error:
        faults.append(f"what trainings took is not known: {error}")
    fits = math.ceil(settings.proof.sessions / settings.proof.refit_every)
    return tuple(
        _answer(each, config, fits, taken.get(preset_label(config)))
        for each, config in zip(shown, configs, strict=True)
    )


def _answer(
    each: "ForecasterConfig | OwnPreset", config: ForecasterConfig, fits: int, taken: "Taken | None"
) -> PresetAnswer:
    own = None if isinstance(each, ForecasterConfig) else each
    return PresetAnswer(
        name=config.preset,
        file=str(own.file) if own else None,
        about=own.about if own else ABOUT[config.preset],
        base=base_of(config),
        changed=changes(config),
        networks=networks_of(config),
        weights=weights_of(config),
        epochs=config.training.epochs,
        fits=fits,
        taken=None if taken is None else TakenAnswer.model_validate(taken),
        config=config.model_dump(mode="json", exclude={"preset", "column"}),
    )


def _text(answer: PresetsAnswer, *, whole: bool) -> Iterator[str]:
    for number, each in enumerate(answer.presets):
        if number:
            yield ""
        yield f"{each.name} ({each.file or 'built in'})"
        if each.about:
            yield f"  {each.about}"
        if each.file:
            changed = ", ".join(f"{key}={value}" for key, value in each.changed.items())
            yield f"  {each.base}, {f'changed: {changed}' if changed else 'unchanged'}"
        yield f"  {_size(each)}; a whole proof fits {_them(each)} {each.fits} times."
        yield f"  {_taken(each)}"
        if whole:
            yield from (f"    {key:<34} {as_text(value)}" for key, value in flat(each.config))
    for fault in answer.faults:
        yield ""
        yield f"cannot be used: {fault}" if fault.startswith("preset ") else fault


def _size(each: PresetAnswer) -> str:
    many = f"{each.networks} networks" if each.networks > 1 else "1 network"
    epochs = "1 epoch" if each.epochs == 1 else f"{each.epochs} epochs"
    most = "" if each.config["training"]["patience"] is None else " at most"
    return f"{many} of {each.weights:,} weights, fitted for {epochs}{most}"


def _them(each: PresetAnswer) -> str:
    return "them" if each.networks > 1 else "it"


def _taken(each: PresetAnswer) -> str:
    if each.taken is None:
        return "It was not trained here yet, so what it takes was not measured."
    took = f"{each.taken.seconds:.0f} s" if each.taken.seconds >= 10 else f"{each.taken.seconds:.1f} s"
    if each.taken.trainings == 1:
        return f"A training here took {took} without the proof; it was the only one."
    return f"A training here takes {took} without the proof: the median of the newest {each.taken.trainings}."
