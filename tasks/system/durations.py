"""All waiting times and polling intervals, in seconds.

Those that users may want to change are in mlflow.yaml instead: the waits for a source of prices and for a webhook.
tasks/operations/stack/orphans.py has two of its own, since it runs as a program without these packages.
"""

# For a lock that another process holds.
LOCK = 600  # a promotion scores two versions while it holds the lock, a minute at most; several may queue
QUEUE_OF_TRAININGS = 4 * 3600  # each training takes minutes; one that takes longer hangs
STACK_LOCK = 2.0  # `tomorrow status` takes it for a moment, to see whether it is held
LOOK_AT_LOCK = 0.1  # between two looks at a lock in a database
LEDGER = 30  # one row a day and short transactions: one that takes longer hangs

# For requests to a server: to read, and to change something.
ASK_PREFECT = 3.0
CHANGE_PREFECT = 30.0
# How long a request is repeated while a server does not answer: on a busy machine a restart may take a minute. Between
# two tries the pause doubles, from FIRST_PAUSE to LAST_PAUSE.
RIDE_OUT = 120.0
RIDE_OUT_STATUS = 3.0  # for `tomorrow status`: a person is waiting
FIRST_PAUSE, LAST_PAUSE = 0.25, 8.0
OWN_SERVER = 60.0  # for a server of the running stack, which may be restarting
ANSWER_OF_STORE = 15.0  # for an object of S3, of a few hundred kilobytes at most
REACH = 10.0  # for a server that a command needs: a person is waiting; scheduled runs wait for RIDE_OUT
REACH_MLFLOW, HEAR_MLFLOW = 5, 15

# For a server that starts, and for deployments that are made.
START_PREFECT = 120  # on the first run on a busy machine, Prefect's own 20 s are not enough
START_PART = 600.0
DEPLOY = 300

# Between two heartbeats of a deployment's run. Prefect's automation reports a run as dead after 90 s without one: with
# Prefect's own interval of 180 s it would report healthy runs.
HEARTBEAT = 30

# Of the board.
LOOK_AT_PRICES = 60.0  # between two looks at the stored prices
LOOK_AT_PRODUCTION = 0.3  # the shortest time between two looks, however often something reports a change
LOAD_AGAIN = 30.0  # between two tries to load a version
SAY_LOADED = 2.0  # between two looks because versions were loaded, while there are more to load
OLD_BOARD = 120.0  # without a new board for so long, beside `serving.look_seconds`, something hangs
ASK_FOR_REPORTS = 600.0  # MLflow's server, again: its database may have been replaced
END_REQUESTS = 10  # how long requests may take when it ends

# Intervals of a stack: between two looks at its processes, two health checks of a part, two cuts of its logs.
LOOK = 0.5
CHECK_AT_START = 0.5
CHECK = 10.0
CUT_LOGS = 600.0

# For a part of a stack: after running for GOOD_CONDUCT its failures are forgotten; the pause before a restart is at
# most LONGEST_PAUSE.
GOOD_CONDUCT = 60.0
LONGEST_PAUSE = 60.0

# Of a Dask cluster: until a scheduler answers, until there is a process at all, between two looks whether there is one.
REACH_CLUSTER = 15.0
START_WORKER = 180.0
LOOK_AT_WORKERS = 5.0

# Until the backend says which GPUs it sees: it loads CUDA for that.
ASK_GPUS = 120.0

# For something to end.
END_PART = 15.0
END_RUNS = 20.0
REPORT_ENDED_RUNS = 5.0
END_CLUSTER = 5.0
REPORT_LAST_STATES = 10.0  # of the tasks that a worker has done, to Prefect's server
