"""What makes a result of a backtest the same as one that was computed before.

A key covers all that a forecast depends on: the configuration with its seed, the sessions that were fitted on and
forecast, every price that was known, the code and the libraries that computed it. Prices after the period are no
part of it: with a month more of them, the months before need not be computed again.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.backtest import Fit, Key, Origin, Plan
from tasks.provenance import library_versions

ROOT = Path(__file__).resolve().parent.parent
COMPUTED_BY = "model.backtest_fit"
LIBRARIES = ("jax", "keras", "numpy", "tensorflow", "torch")


def plan_key(plan: Plan) -> str:
    """The key of a whole backtest."""
    return _digest(
        {
            "backtest": plan.config.model_dump(mode="json"),
            "forecasters": [config.model_dump(mode="json") for config in plan.forecasters],
            "prices": plan.prices.fingerprint,
            "code": code_digest(),
        }
    )


def origin_keys(plan: Plan) -> dict[Key, str]:
    """The key of each place of a backtest."""
    known = {origin: plan.prices.until(plan.prices.day(origin.stop - 1)).fingerprint for origin in plan.origins}
    return {
        key: _digest(_described(plan, fit, key, origin, known[origin]))
        for fit in plan.fits
        for key, origin in zip(fit.keys, (origin for origin in fit.origins for _ in fit.names), strict=True)
    }


def series_key(plan: Plan, forecaster: str) -> str:
    """The key under which all results of one forecaster for the security and column are found."""
    return _digest([plan.prices.security.ticker, plan.column, forecaster])[:16]


@functools.cache
def code_digest() -> str:
    """A digest of the code that fits and forecasts, as far as it is ours, and of the libraries' versions."""
    found: dict[str, bytes] = {}
    waiting = [COMPUTED_BY]
    while waiting:
        name = waiting.pop()
        file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not file.is_file():
            continue
        found[name] = file.read_bytes()
        waiting += _our_imports(found[name])
    versions = {name: version for name, version in library_versions().items() if name in LIBRARIES}
    sources = {name: hashlib.sha256(source).hexdigest() for name, source in found.items()}
    return _digest({"sources": sources, "libraries": versions})


def _our_imports(source: bytes) -> Iterator[str]:
    """The modules of `model` that a source imports anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from model import measures` names a module, `from model.prices import Prices` what is in one.
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _described(plan: Plan, fit: Fit, key: Key, origin: Origin, known: str) -> dict[str, Any]:
    prices = plan.prices
    return {
        "forecaster": key.forecaster,
        "config": fit.config.model_dump(mode="json") if fit.config else None,
        "column": fit.column,
        "fitted_on": [str(prices.day(fit.first)), str(prices.day(fit.stop - 1))],
        "forecasts": [str(prices.day(origin.start)), str(prices.day(origin.stop - 1))],
        "prices": known,
        "code": code_digest(),
    }


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
