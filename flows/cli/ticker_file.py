"""A list of tickers in a text file: one on a line, what follows a # is for people."""

from pathlib import Path

from model.errors import UsageError


def read_tickers(file: str) -> tuple[str, ...]:
    """The tickers in the order of the file; UsageError where there is none."""
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _useless(file, getattr(error, "strerror", None) or str(error)) from None
    tickers = tuple(ticker for line in lines if (ticker := line.partition("#")[0].strip()))
    if not tickers:
        raise _useless(file, "no ticker in it")
    return tickers


def _useless(file: str, have: str) -> UsageError:
    return UsageError(
        f"--tickers-file {file}",
        have=have,
        need="a text file with a ticker on each line",
        remedy="correct the path, or name tickers with --ticker",
    )
