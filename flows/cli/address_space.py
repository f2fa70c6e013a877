"""The address space that a command may take, where somebody has limited it (`ulimit -v`).

Below what they take when they are loaded, libraries end the process in ways that nobody can catch, one of them with a
line of its own and another without any. So the limit is looked at before they are.
"""

import sys

from model.errors import ConfigurationError

# In MB, measured and rounded up: what loads TensorFlow, what loads Prefect and MLflow, and what loads hardly anything.
FITS, RUNS, LOOKS = 6000, 3000, 1000
NEEDED = {
    **dict.fromkeys(("train", "catchup", "backtest", "promote", "approve", "reject", "up"), FITS),
    **dict.fromkeys(("rollback", "predict", "score", "clean"), RUNS),
}


def check_address_space(command: str) -> None:
    """ConfigurationError where a command is given less than it takes."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = NEEDED.get(command, LOOKS)
    if limit != resource.RLIM_INFINITY and limit < needed * 1_000_000:
        raise ConfigurationError(
            "the address space of this process",
            have=f"it is limited to {limit / 1e6:,.0f} MB",
            need=f"{needed:,} MB for `tomorrow {command}` (hardly a third of it is memory that is in use)",
            remedy="ulimit -v unlimited, or a limit of memory in use in its place, as containers and systemd have it",
        )
