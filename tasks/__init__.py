"""What reaches the outside world: each package talks to one store, service or part of the system."""
