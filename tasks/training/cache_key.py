"""What makes a training the same as one that was done before, so that it need not be done again.

The security, the column, the newest session known, the configuration, every price and its source, the code, the
libraries and the variables that switch how they compute, such as TF_ENABLE_ONEDNN_OPTS. When prices were fetched and
what was noticed about them is no part of it, as long as they are the same.
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


def training_key(split: Split, forecaster: ForecasterConfig, evaluation: EvaluationConfig, backend: str) -> str:
    """The key of a training, in hexadecimal."""
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
            # The commit alone would not tell two changes on top of it apart.
            "code": [code_version(), code_digest(*COMPUTED_BY)],
        }
    )


def newest_as_of(versions: Sequence[RegisteredVersion]) -> date:
    """The newest session that any of these versions knows; the first day of all where none says."""
    return max((found.as_of for found in versions if found.as_of is not None), default=date.min)
