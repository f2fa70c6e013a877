"""How long is waited, and how often is looked, in seconds: all in one place.

What somebody may want to change stands in mlflow.yaml instead: the waits for a source of prices and for a webhook.
tasks/operations/stack/orphans.py has two of its own, since it runs as a program that knows nothing of these packages.
"""

# For another process that holds what is needed.
LOCK = 600  # a promotion scores two versions while it holds it, a minute at most; several may queue
QUEUE_OF_TRAININGS = 4 * 3600  # each takes minutes; what takes longer hangs
STACK_LOCK = 2.0  # `tomorrow status` takes it for a moment, to see whether it is held
LOOK_AT_LOCK = 0.1  # between two looks at a lock in a database
LEDGER = 30  # one row a day and short transactions: what takes longer hangs

# For a server that is asked for something, or told of something.
ASK_PREFECT = 3.0
CHANGE_PREFECT = 30.0
# So long a question is asked again whose answer a server owes for a moment: on a busy machine it may need a minute to
# start again. Between two tries the pause doubles, from the first to the last.
RIDE_OUT = 120.0
RIDE_OUT_STATUS = 3.0  # of `tomorrow status`, for which somebody waits
FIRST_PAUSE, LAST_PAUSE = 0.25, 8.0
OWN_SERVER = 60.0  # of a stack that runs: it is being started again
REACH = 10.0  # that a command needs and that is away: somebody waits; the runs of a schedule ride it out
REACH_MLFLOW, HEAR_MLFLOW = 5, 15

# For a server that starts, and for deployments that are made.
START_PREFECT = 120  # on a busy machine's first run Prefect's own twenty are not enough
START_PART = 600.0
DEPLOY = 300

# Between two heartbeats of a deployment's run. Prefect's automation for runs that died with their worker waits for
# 90 seconds: at Prefect's own 180 it would take healthy runs for dead.
HEARTBEAT = 30

# Of a stack: between two looks at its parts, two questions whether one is well, two cuts of its logs.
LOOK = 0.5
CHECK_AT_START = 0.5
CHECK = 10.0
CUT_LOGS = 600.0

# Of a part of a stack: so long it has to run to be taken for one that can start; it is started again after a pause.
GOOD_CONDUCT = 60.0
LONGEST_PAUSE = 60.0

# For what ends.
END_PART = 15.0
END_RUNS = 20.0
REPORT_ENDED_RUNS = 5.0
END_WORKER_PROCESS = 5.0
