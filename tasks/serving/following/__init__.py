"""What follows Production: looks at the registry, loads versions, and reads the board."""
