"""The key of a training; a training with the key of an earlier one need not be done again.

The key covers the security, the column, the newest session known, the configuration, every price and its source, the
code, the libraries and the variables that change how they compute, such as TF_ENABLE_ONEDNN_OPTS. It does not cover
when the prices were fetched, or the notes on them.
"""

from collections.abc import Sequence
from datetime import date

from model.config import EvaluationConfig, ForecasterConfig
from model.evaluation.split import Split
from tasks.registry.version import RegisteredVersion
from tasks.tracking.provenance import code_digest, code_version, digest

COMPUTED_BY = (
    "model.training.fit",
    "model.forecaster.forecaster",
    "tasks.tracking.model_artifact",
    "tasks.tracking.served_model",
    "tasks.training.run",
)


def training_key(
    split: Split, forecaster: ForecasterConfig, evaluation: EvaluationConfig, backend: str, shared: date | None = None
) -> str:
    """The key of a training: SHA-256 in hexadecimal.

    shared: the day before which its shared network was fitted; None where it has none
    """
    prices = split.prices
    return digest(
        {
            "security": prices.security.ticker,
            "column": forecaster.column,
            "as_of": str(prices.last),
            "forecaster": forecaster.model_dump(mode="json"),
            "evaluation": evaluation.model_dump(mode="json"),
            "source": prices.source,
            "prices": prices.fingerprint,
            "backend": backend,
            **({} if shared is None else {"shared": str(shared)}),
            # The commit alone would be the same for two different uncommitted changes.
            "code": [code_version(), code_digest(*COMPUTED_BY)],
        }
    )


def newest_as_of(versions: Sequence[RegisteredVersion]) -> date:
    """The newest session that any of these versions was trained on; date.min where no version has the tag."""
    return max((found.as_of for found in versions if found.as_of is not None), default=date.min)
