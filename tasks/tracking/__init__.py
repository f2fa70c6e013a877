"""MLflow tracking: the store, runs, data sets, and the artefact that is registered."""
