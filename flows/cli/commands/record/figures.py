"""`tomorrow figures`: the figures of a training that was one of several. It needs no Prefect."""

from typing import Annotated

import typer

from flows.cli.command import command
from flows.cli.configuration import prepare
from flows.cli.options import Model, version_number
from flows.cli.result import Answer, CommandResult, look


class FiguresAnswer(Answer):
    """The object of `tomorrow figures --json`; the run is the one in MLflow that shows them."""

    model: str
    version: int
    run_id: str
    run_url: str


@command("tomorrow figures META-Open 3")
def figures(
    model: Model,
    version: Annotated[
        int | None,
        typer.Argument(parser=version_number, metavar="[VERSION]", help="Its number (default: newest)."),
    ] = None,
) -> CommandResult:
    """Draw the figures of a version's training and proof, and show them with its run in MLflow.

    The training of one security draws them by itself. Those of several securities at once are drawn by this.
    """
    settings, _ = prepare()
    from tasks.registry.mistakes import check_model, check_version

    # Before MLflow and Keras are loaded, which takes seconds.
    if version is None:
        check_model(settings, model)
    else:
        check_version(settings, model, version)
    from flows.runs.clock import now
    from tasks.registry.errors import unknown_version
    from tasks.registry.registry import Registry
    from tasks.tracking.client import open_tracking
    from tasks.tracking.run import run_url
    from tasks.training.later_figures import draw_later

    tracking = open_tracking(settings)
    registry = Registry(tracking)
    newest = max((found.version for found in registry.newest(model)), default=0)
    if version is None and not newest:
        raise unknown_version(model, 1, registry.models(), [])
    chosen = registry.version(model, newest if version is None else version)
    run_id = draw_later(tracking, chosen, now())
    url = run_url(settings, tracking.experiment_id(), run_id)
    answer = FiguresAnswer(model=model, version=chosen.version, run_id=run_id, run_url=url)
    said = (f"{model} version {chosen.version}: its figures are drawn", *look(url, settings))
    return CommandResult(answer, "\n".join(said))
