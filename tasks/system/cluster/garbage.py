"""How often Python looks for objects that refer to each other and that nothing else refers to any more."""

import atexit
import gc

# How many new objects make Python look. With its default of 700 a forecast spends a quarter of its time looking through
# what Prefect, MLflow and pandas have loaded, none of which is ever freed.
UNTIL_COLLECTED = 500_000


def collect_rarely() -> None:
    """Have this process look rarely, and not at its end; to be called once, when it starts."""
    gc.set_threshold(UNTIL_COLLECTED, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # else all that is loaded is looked through once more when the process ends
