"""The machine below: locks, durable files, processes, Keras's backend, Prefect's server, a full disk."""
