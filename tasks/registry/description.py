"""The descriptions on MLflow's pages: a paragraph for a model; a verdict with a table for a version."""

from datetime import UTC

from model.evaluation.check import as_markdown, markdown_table, read_check
from tasks.registry.ruling import Ruling

# Descriptions of ours begin so; one that a person wrote is never overwritten.
OURS = "Verdict: "
MODEL_DESCRIPTION = """\
Forecasts the next session's price of one security and column: raw prices in, a price with its intervals and quantiles \
out. Each training adds a version; the gate lets it into Production if its configuration is proven better than the \
naive forecast, and the version is better than the one there. The description of a version is its verdict; its run has \
the figures. `docs/glossary.md` explains the words, and `docs/gate.md` the gate."""
LONGEST_REASON = 300
LONGEST = 5000  # characters that MLflow's database holds


def describe_version(ruling: Ruling, verdict: str | None) -> str:
    """A version's verdict in three lines: the decision, its first reason, when and by whom; then all reasons.

    MLflow's pages render it as Markdown; its lists show the source text.

    verdict: the verdict on its skill, used where the ruling has none
    """
    known = ruling.verdict or verdict
    lines = [f"{OURS}{ruling.decision.value}{f' ({known})' if known else ''}"]
    if ruling.reasons:
        first = ruling.reasons[0]
        lines.append(as_markdown(first if len(first) <= LONGEST_REASON else f"{first[:LONGEST_REASON]}..."))
    forced = f", past the gate: {as_markdown(ruling.forced)}" if ruling.forced else ""
    lines.append(f"Decided {ruling.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {as_markdown(ruling.by)}{forced}")
    # In Markdown two spaces at the end of a line are a line break.
    verdict_lines = "  \n".join(lines)
    table = markdown_table(map(read_check, ruling.reasons)) if len(ruling.reasons) > 1 else ""
    whole = f"{verdict_lines}\n\n{table}" if table else verdict_lines
    return whole if len(whole) <= LONGEST else verdict_lines
