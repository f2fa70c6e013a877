"""What every run of a flow has: the clock, its schedule, its prices, alarms, progress and what Prefect's pages show."""
