"""Another series as an input: what it is called, and what is made of it. Without NumPy, since commands name it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Transformation = Literal["level", "change", "range"]

LONG = 250
CHANGES = (1, 5, 22)
RANGES = (1, 5, 22, LONG)
# The numbers that a transformation makes of a series.
MADE: dict[str, tuple[str, ...]] = {
    "level": ("level", f"level_{LONG}"),
    "change": tuple(f"change_{n}" for n in CHANGES),
    "range": tuple(f"range_{n}" for n in RANGES),
}
LONGEST_NAME = 64
TAKEN = ("date", "open", "high", "low", "close", "adj close", "volume", "known_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInput:
    """Another series as an input: what it is called, and what is made of it.

    name:            a ticker such as ^VIX, or the title of a column in a file
    transformations: `level`, its logarithm less that of the security's own scale, for series that measure a width;
                     `change`, that of its logarithm; `range`, how far it moves in a session beside the own scale
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    # The descriptions are what Prefect's form shows.
    name: str = field(metadata={"description": "a ticker such as ^VIX, or the title of a column in a file"})
    transformations: tuple[Transformation, ...] = field(
        default=("level", "change"),
        metadata={"description": "level beside the own scale, change, range beside the own scale"},
    )

    def __post_init__(self) -> None:
        bare = self.name.strip()
        if not bare or bare != self.name or len(bare) > LONGEST_NAME or not bare.isprintable():
            raise ValueError("a ticker or the title of a column as its name")
        if bare.lower() in TAKEN or bare.lower().endswith((" high", " low")):
            raise ValueError(f"a name that no column of prices has, unlike {self.name}")
        if not self.transformations or len(set(self.transformations)) != len(self.transformations):
            raise ValueError(f"of {self.name} one or more transformations are made, each once: {', '.join(MADE)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table that it is made from."""
        closes = (self.name,) if {"level", "change"} & set(self.transformations) else ()
        return (*closes, *((f"{self.name} High", f"{self.name} Low") if "range" in self.transformations else ()))


def written_series(series: Sequence[SeriesInput]) -> str:
    """Series as --set takes them: by name alone where the usual transformations are made of them."""
    return f"[{', '.join(map(_written, series))}]"


def _written(one: SeriesInput) -> str:
    usual = one == SeriesInput(name=one.name)
    return one.name if usual else f"{{name: {one.name}, transformations: [{', '.join(one.transformations)}]}}"


def joined_series(every: Iterable[Sequence[SeriesInput]]) -> tuple[SeriesInput, ...]:
    """Each series once, with all transformations that are made of it anywhere."""
    made: dict[str, dict[Transformation, None]] = {}
    for each in (one for series in every for one in series):
        made.setdefault(each.name, {}).update(dict.fromkeys(each.transformations))
    return tuple(SeriesInput(name=name, transformations=tuple(kinds)) for name, kinds in made.items())
