"""Whether a configuration is proven better with other series than without them, on one security."""

from datetime import datetime

from model.config import ForecasterConfig
from model.evaluation.evidence.e_process import odds_text
from model.evaluation.evidence.proof import compare
from model.market.prices import Prices
from tasks.backtest.proofs import NoProof, OnPeriod, prove
from tasks.tracking.client import Tracking


def proven_better_with(
    tracking: Tracking, prices: Prices, config: ForecasterConfig, at: datetime, show: OnPeriod | None = None
) -> tuple[bool, str]:
    """Whether a configuration's series make it better, and the figures in a sentence.

    Both proofs, with the series and without, are kept: the gate asks for one of them later. It is better at the odds
    that the gate needs for a first configuration.

    prices: with the series beside; the sessions that nothing may be chosen on are not among them
    """
    named = ", ".join(each.name for each in config.series)
    proofs = [prove(tracking, prices, each, at, show) for each in (config, config.model_copy(update={"series": ()}))]
    kept = [proof.proof for proof in proofs if not isinstance(proof, NoProof)]
    if len(kept) < len(proofs):
        why = next(proof.why for proof in proofs if isinstance(proof, NoProof))
        return False, f"Whether {named} makes it better cannot be proven: {why}."
    found, needed = compare(kept[0], kept[1]), tracking.settings.gate.min_evidence
    measured = f"CRPS {found.ratio:.4f} times that without {named} on {found.sessions:,} sessions"
    evidence = f"evidence {odds_text(found.odds)}, needed {odds_text(needed)}"
    return found.odds >= needed and found.ratio < 1, f"{measured}; {evidence}."
