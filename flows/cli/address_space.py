"""The address space that a command may take, where somebody has limited it (`ulimit -v`).

With less than they need, libraries end the process while they are loaded, in ways that nobody can catch, some without
any message. So the limit is checked before that.
"""

import sys

from model.errors import ConfigurationError

# In MB, measured and rounded up: what loads TensorFlow, what loads Prefect and MLflow, and what loads hardly anything.
FITS, RUNS, LOOKS = 6000, 3000, 1000
NEEDED = {
    **dict.fromkeys(("train", "catchup", "backtest", "promote", "approve", "reject", "up"), FITS),
    **dict.fromkeys(("rollback", "predict", "score", "clean", "serve"), RUNS),
}


def check_address_space(command: str) -> None:
    """ConfigurationError where a command is given less than it needs."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = NEEDED.get(command, LOOKS)
    if limit != resource.RLIM_INFINITY and limit < needed * 1_000_000:
        raise ConfigurationError(
            "the address space of this process",
            have=f"it is limited to {limit / 1e6:,.0f} MB",
            need=f"{needed:,} MB for `tomorrow {command}` (less than a third of that becomes memory in use)",
            remedy="ulimit -v unlimited, or limit the memory in use instead, as containers and systemd do",
        )
