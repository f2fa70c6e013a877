"""What the processes of tests.racers have imported when they begin."""

# ruff: noqa: E402, F401 - the environment is set before MLflow is imported

from tasks.tracking.client import prepare_environment

prepare_environment()

import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store

import tasks.registry.registry
