"""What is wrong with a value of a configuration, in plain words: pydantic's own are for programmers."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from model.config import known_keys
from model.errors import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# How many characters of a wrong key or value are shown.
SHOWN = 100

LIMITS = {
    "greater_than_equal": "{} or more",
    "greater_than": "more than {}",
    "less_than_equal": "{} or less",
    "less_than": "less than {}",
}
PLAIN = {
    "string_type": "a word",
    "finite_number": "a number that is not infinite",
    "none_required": "null",
    "dataclass_type": "a name, or {name: ^VIX, transformations: [level]}",
    "model_type": "one of its keys, with a dot between: network.units, training.epochs",
}


# A list of each key that takes one; what others take is like the first.
LISTS = {"units": "[32,32]", "horizon": "[1,5]", "series": "[^VIX]"}


def have_and_need(kind: type[BaseModel], fault: "ErrorDetails") -> tuple[str, str]:
    """What was found in a configuration of a kind, and what is needed there, for one of pydantic's faults."""
    key = ".".join(str(part) for part in fault["loc"]) or kind.__name__
    if fault["type"] == "extra_forbidden":
        return f"no such key{_meant(kind, key[:SHOWN])}", f"one of {', '.join(known_keys(kind, fault['loc']))}"
    return f"{shown(fault['input'])}{_near_choice(fault)}", _needed(fault)


def shown(value: object) -> str:
    """A value as Python writes it, as far as people will read it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number with thousands of digits
        return "a number with too many digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def contradiction(fault: "ErrorDetails") -> str | None:
    """What does not fit together, where the fault is that of several values; else None, as for one of a list."""
    of_a_list = any(isinstance(part, int) for part in fault["loc"])
    if fault["type"] == "value_error" and isinstance(fault["input"], dict) and not of_a_list:
        return fault["msg"].removeprefix("Value error, ")
    return None


def _meant(kind: type[BaseModel], key: str) -> str:
    """`. Did you mean ...?` for an unknown key: one with the same ending, or one spelt nearly the same."""
    keys = list(_dotted(kind))
    ends = [known for known in keys if known.rpartition(".")[2] == key.rpartition(".")[2]]
    return f". Did you mean {ends[0]!r}?" if ends else did_you_mean(key, keys)


def _dotted(kind: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a configuration, as --set takes it."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _dotted(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _near_choice(fault: "ErrorDetails") -> str:
    """`. Did you mean ...?` for a value that is none of the choices."""
    choices = re.findall(r"'([^']*)'", fault.get("ctx", {}).get("expected", ""))
    given = fault["input"]
    return did_you_mean(given[:SHOWN], choices) if isinstance(given, str) else ""


def _needed(fault: "ErrorDetails") -> str:
    """What a value has to be, in plain words for the commonest faults."""
    kind, limits = fault["type"], fault.get("ctx", {})
    if kind == "literal_error":
        return f"one of {limits['expected']}"
    if kind in LIMITS:
        (limit,) = limits.values()
        return LIMITS[kind].format(limit)
    if kind in ("tuple_type", "list_type"):
        return f"a list, such as {LISTS.get(str(fault['loc'][-1]), LISTS['units'])}"
    if kind in PLAIN:
        return PLAIN[kind]
    if kind.startswith("int_"):
        return "a whole number"
    if kind.startswith("float_"):
        return "a number"
    if kind.startswith("bool_"):
        return "true or false"
    return fault["msg"].removeprefix("Value error, ")
