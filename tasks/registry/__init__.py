"""MLflow's registry: versions, stages, their history, and the gate before Production."""
