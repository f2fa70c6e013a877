"""What makes a distribution wide or narrow: its width as a product, a usual one times a factor for each cause."""

import math

import numpy as np

from .market_state import StateBranch
from .scale import Values


def width_factors(
    scale: Values, ordinary: float, branch: StateBranch | None, state: Values, network: Values, largest: float
) -> dict[str, Values]:
    """(n,) by name: `usual_scale`, and for each factor `factor_...`; empty without a scale of an ordinary market.

    The usual width is that of an ordinary market's scale with each input of the branch at its mean. The present scale
    belongs to `moves`, with the branch's inputs that correct its weights. `limit` is what the limit of the correction
    takes away, 1 where it takes nothing.

    scale:    (n,) the market's present scale; `ordinary`: that of an ordinary market
    state:    (n, inputs) what the branch sees
    network:  (n,) the network's part of the correction, a logarithm
    largest:  the limit of the whole correction, a logarithm
    """
    if not math.isfinite(ordinary):
        return {}
    parts = {"moves": np.log(scale / ordinary)}
    wanted, usual = network, ordinary
    if branch is not None:
        wanted, usual = branch.correction(state) + network, ordinary * math.exp(branch.constant)
        for factor, part in branch.parts(state).items():
            parts[factor] = parts.get(factor, 0.0) + part
    parts |= {"network": network, "limit": np.clip(wanted, -largest, largest) - wanted}
    return {
        "usual_scale": np.full(len(scale), usual),
        **{f"factor_{name}": np.exp(part) for name, part in parts.items()},
    }
