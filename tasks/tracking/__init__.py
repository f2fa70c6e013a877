"""MLflow's tracking: the store, runs, data sets, and the registered artefact's making."""
