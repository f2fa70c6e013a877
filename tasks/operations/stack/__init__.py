"""The stack of `tomorrow up`: MLflow's and Prefect's servers and a worker, supervised."""
