"""The scripts, by the version that each makes."""
