"""The tables that are printed, as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.peers.scores import Scores

Row = Sequence[str]
CONSTANT, GARCH = "constant", "garch"


def methods(scores: Scores, labels: Mapping[str, str], seconds: Mapping[str, float]) -> Iterator[Row]:
    """Every method's scores over all years, and its processor seconds where they are known."""
    yield ("", "of constant", "of GARCH-t", "worst", "coverage 80, 95", "Winkler 95 of GARCH-t", "s")
    for method in _by_share(scores):
        shares = scores.shares(method, GARCH)
        held = (f"{100 * scores.held(method, level):.1f}" for level in (80, 95))
        yield (
            labels[method],
            f"{scores.shares(method, CONSTANT).mean():.4f}",
            f"{shares.mean():.4f}",
            f"{shares.max():.3f}",
            ", ".join(held),
            f"{scores.winkler_share(method, GARCH, 95):.3f}",
            f"{seconds[method]:.0f}" if method in seconds else "",
        )


def by_year(scores: Scores, labels: Mapping[str, str]) -> Iterator[Row]:
    """CRPS as a share of GARCH's, year by year."""
    yield ("", *(str(year) for year in scores.years))
    for method in _by_share(scores):
        yield (labels[method], *(f"{scores.shares(method, GARCH, year).mean():.4f}" for year in scores.years))


def ours(scores: Scores, labels: Mapping[str, str], method: str) -> Iterator[Row]:
    """Ours as a share of every peer's CRPS, with the p-value of the difference, over all years and in each."""
    yield ("", "all years", "p", *(text for year in scores.years for text in (str(year), "p")))
    for peer in _by_share(scores):
        if peer != method:
            pairs = ((method, peer, year) for year in (None, *scores.years))
            figures = ((f"{scores.shares(*pair).mean():.4f}", _p(scores.p_value(*pair))) for pair in pairs)
            yield (labels[peer], *(text for pair in figures for text in pair))


def by_series(scores: Scores, labels: Mapping[str, str], method: str, peer: str) -> Iterator[Row]:
    """Ours as a share of one peer's CRPS, series by series."""
    yield ("", f"of {labels[peer]}")
    for series, share in zip(scores.market, scores.shares(method, peer), strict=True):
        yield (series.name.replace("_", " "), f"{share:.4f}")


def _by_share(scores: Scores) -> list[str]:
    """The methods, the best first."""
    return sorted(scores.quantiles, key=lambda method: float(np.mean(scores.shares(method, GARCH))))


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<.001"


def markdown(title: str, rows: Iterator[Row]) -> str:
    """A table below its title."""
    heading, *body = rows
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *body]
    return "\n".join([f"## {title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])
