"""What depends on the machine: locks, durable files, processes, Keras's backend, Prefect's server, disk errors."""
