"""The files that the pages load: styles, scripts and the icon of ours, and the script of plotly's package.

Each address holds a digest of its file, so that a browser keeps the file for good, and asks anew for another release's.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
OWN = ("board.css", "live.js", "charts.js", "icon.svg")
PLOTLY = "plotly.js"
WHERE = "/static"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent: its content, the same compressed, its kind and its digest."""

    content: bytes
    compressed: bytes
    kind: str
    digest: str


@cache
def static_file(name: str) -> StaticFile | None:
    """One of the files; None where there is none of that name."""
    if name == PLOTLY:
        from plotly.offline import get_plotlyjs

        content = get_plotlyjs().encode()
    elif name in OWN:
        content = (FOLDER / name).read_bytes()
    else:
        return None
    kind = KINDS[Path(name).suffix]
    return StaticFile(content, gzip.compress(content, 6, mtime=0), kind, sha256(content).hexdigest()[:16])


@cache
def address_of(name: str) -> str:
    """The address of one of the files; KeyError where there is none of that name."""
    found = static_file(name)
    if found is None:
        raise KeyError(name)
    return f"{WHERE}/{name}?v={found.digest}"
