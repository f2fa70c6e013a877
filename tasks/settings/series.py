"""The section of mlflow.yaml for other series that trainings get without naming them."""

from typing import Annotated

from pydantic import Field

from model.config import Series
from tasks.settings.section import Section


class SeriesRule(Section):
    """Which series go with which presets, for the securities of which exchanges.

    inputs:       the series, by name or with their transformations
    presets:      trainings with one of these presets, and no series of their own, get them
    exchanges:    for securities of these exchanges; empty: of every exchange
    where_proven: only where the preset is proven better with them, by the gate's measure, on the security itself
    """

    inputs: Annotated[tuple[Series, ...], Field(min_length=1)]
    presets: tuple[str, ...] = ("anchored", "daily")
    exchanges: tuple[str, ...] = ()
    where_proven: bool = True
