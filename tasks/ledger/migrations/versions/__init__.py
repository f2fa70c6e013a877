"""The scripts, each named after the version that it makes."""
