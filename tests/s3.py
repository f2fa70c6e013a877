"""A store that speaks S3 for the tests: SeaweedFS on free ports of 127.0.0.1, with one bucket."""

import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.servers import serving

BUCKET = "tomorrow"
KEY = "geheim-7f3a"
READER = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "geheim-reader"}
PORTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where it answers, and the credentials of one who may do everything."""

    endpoint: str
    variables: dict[str, str] = field(repr=False)

    def folder(self) -> str:
        """The address of a folder of its own, in which there is nothing."""
        return f"s3://{BUCKET}/{uuid4().hex}"

    def names(self, address: str) -> list[str]:
        """The names of all objects in a folder, as another program sees them."""
        found = self.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{key(address)}/").get("Contents", ())
        return sorted(one["Key"].removeprefix(f"{key(address)}/") for one in found if not one["Key"].endswith("/"))

    def client(self) -> Any:
        """A client that does not read the environment."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEY,
        )


def key(address: str) -> str:
    """The name of an object in its bucket."""
    return address.removeprefix(f"s3://{BUCKET}/")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run the store, with its files in a folder; skip the test where it is not installed."""
    if shutil.which("weed", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("no SeaweedFS here: it is among the tools that `make dev` installs")
    accounts = folder / "accounts.json"
    everything = {"accessKey": "tests", "secretKey": KEY}
    reading = {"accessKey": READER["AWS_ACCESS_KEY_ID"], "secretKey": READER["AWS_SECRET_ACCESS_KEY"]}
    identities = [
        {"name": "tests", "credentials": [everything], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
        {"name": "reader", "credentials": [reading], "actions": ["Read", "List"]},
    ]
    accounts.write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    ports = _free_ports(2 * len(PORTS))
    listening = [
        option
        for part, port, other in zip(PORTS, ports[::2], ports[1::2], strict=True)
        for option in (f"-{part}.port={port}", f"-{part}.port.grpc={other}")
    ]
    here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    small = ["-master.volumeSizeLimitMB=64", "-volume.max=50"]
    command = ["weed", "server", "-filer", "-s3", f"-s3.config={accounts}", f"-dir={folder / 'data'}"]
    endpoint = f"http://127.0.0.1:{ports[-2]}"
    variables = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": KEY, "AWS_ENDPOINT_URL_S3": endpoint}
    # Nothing of whoever runs the tests.
    variables |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    # It would take half a minute to end in good order.
    with serving([*command, *here, *small, *listening], f"{endpoint}/healthz", folder, signal.SIGKILL):
        server = S3Server(endpoint, variables)
        server.client().create_bucket(Bucket=BUCKET)
        yield server


def _free_ports(count: int) -> list[int]:
    """As many ports that nobody listens on at this moment."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
