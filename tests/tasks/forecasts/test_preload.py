"""What a process loads before it is handed over the addresses to work with."""

import subprocess
import sys

import pytest
from distributed import Client

from tasks.system.cluster.local import local_cluster
from tests.project import ROOT

LOADED = """
import sys
from tasks.forecasts import preload
preload.dask_setup(None)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_what_takes_an_address_when_it_is_imported_is_left_for_later() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"mlflow", "sqlalchemy", "scipy", "pandas", "exchange_calendars"} <= loaded
    assert not {"prefect", "prefect_dask", "keras", "tensorflow"} & loaded


def loaded_here(_: int) -> bool:
    return {"mlflow", "tasks.forecasts.scoring"} <= set(sys.modules)


@pytest.mark.slow
@pytest.mark.parametrize("loads", [(), ("tasks.forecasts.preload",)])
def test_processes_load_before_their_first_task_what_they_are_told_to(loads: tuple[str, ...]) -> None:
    with (
        local_cluster(2, fits=False, loads=loads) as cluster,
        Client(cluster.address, security=cluster.security, set_as_default=False) as client,
    ):
        client.wait_for_workers(2)
        answers = client.gather(client.map(loaded_here, range(4), pure=False))
    assert answers == [bool(loads)] * 4
