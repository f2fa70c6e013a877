"""Reads a small YAML file of keys and values, with the line of each key."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# Bytes: what people write by hand is far smaller.
LARGEST = 64 * 1024
# Bits of a whole number. Python shows none of more than some thousands of digits.
LONGEST = 64

Key = tuple[str, ...]


class NotReadable(Exception):
    """Why a file is no YAML file of keys and values; where that is known, with the line."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds, and the line of each key, counted from 1."""

    values: Mapping[str, Any]
    lines: Mapping[Key, int]

    def line(self, place: tuple[str | int, ...]) -> int | None:
        """The line of a key, else of the nearest one that it is part of."""
        for length in range(len(place), 0, -1):
            found = self.lines.get(tuple(map(str, place[:length])))
            if found is not None:
                return found
        return None


def read_yaml(file: Path) -> Written:
    """The keys and values of a file; NotReadable says what is wrong with it."""
    text, loader = _text(file), None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        if node is None:
            raise NotReadable("nothing in it")
        if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
            raise NotReadable(f"line {_line(node)}: no keys with values")
        _find_lines(node, lines, ())
        values = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise NotReadable(f"not YAML: {_problem(error)}") from None
    except RecursionError:
        raise NotReadable("not YAML: it is nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()
    return Written(values, lines)


def _text(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise NotReadable("a folder" if file.is_dir() else "no file with text in it")
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise NotReadable(f"more than {LARGEST:,} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise NotReadable("no such file") from None
    except OSError as error:
        raise NotReadable(error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise NotReadable("no text in UTF-8") from None


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can stand for more values than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            alias: yaml.AliasEvent = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"the alias *{alias.anchor}", alias.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """A value; YAMLError with its place where it is none, such as the day 2020-13-45 or `!!int ""`."""
        try:
            value = super().construct_object(node, deep)
        # What PyYAML raises for values that do not fit their tags, beside errors of its own.
        except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
            raise yaml.constructor.ConstructorError(None, None, "no value of its kind", node.start_mark) from None
        if isinstance(value, int) and value.bit_length() > LONGEST:
            raise yaml.constructor.ConstructorError(None, None, "a number with too many digits", node.start_mark)
        return value


def _find_lines(node: yaml.MappingNode, lines: dict[Key, int], above: Key) -> None:
    """Note the line of each key; NotReadable where one is no word, or stands twice."""
    for key, value in node.value:
        # YAML reads on, off, yes and no as yes or no, where they are not in quotes.
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise NotReadable(f"line {_line(key)}: a key that is no word")
        place = (*above, key.value)
        if place in lines:
            raise NotReadable(f"line {_line(key)}: {key.value!r} stands there again, after line {lines[place]}")
        lines[place] = _line(key)
        if isinstance(value, yaml.MappingNode):
            _find_lines(value, lines, place)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong, and where."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
