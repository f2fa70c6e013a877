"""What is computed: no I/O, no clock, no orchestrator."""
