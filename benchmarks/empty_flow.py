"""The floor under every training: import what it imports, and run a flow that does nothing.

    .venv/bin/python benchmarks/empty_flow.py

Against the server that PREFECT_API_URL names, else with the one that Prefect starts itself.
"""

import keras
import mlflow
import pandas as pd
from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings


@flow(persist_result=False)
def nothing() -> str:
    """The versions of what was imported."""
    keras.ops.zeros(1)
    return f"keras {keras.__version__}, mlflow {mlflow.__version__}, pandas {pd.__version__}"


if __name__ == "__main__":
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread takes a second to stop
        print(nothing())
