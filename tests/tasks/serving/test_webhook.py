"""MLflow's signature is checked as MLflow makes it."""

import pytest
from mlflow.webhooks.delivery import _generate_hmac_signature

from tasks.serving.endpoints.webhook import signature


@pytest.mark.parametrize("body", ["{}", '{"entity": "model_version_alias"}', "ö"])
def test_a_signature_is_the_one_that_mlflow_makes(body: str) -> None:
    made = _generate_hmac_signature("a key", "a delivery", "1580500000", body)
    assert signature("a key", "a delivery", "1580500000", body.encode()) == made
    assert signature("another key", "a delivery", "1580500000", body.encode()) != made
