"""See that the built pages lead somewhere, and load nothing from another host: `make docs`.

python -m docs.check_pages build/docs
"""

import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, by the attribute that names it; `a href` is fetched when somebody clicks.
LOADED = {"src", "srcset", "poster", "data", "action"}
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")


class Page(HTMLParser):
    """The anchors of a page, what it loads, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name == "href" and value is not None:
                (self.links if tag in ("a", "area") else self.loads).append(value)
            elif name in LOADED and value:
                self.loads.append(value)
            elif name == "style" and value:
                self.loads += IN_STYLES.findall(value)


def faults(site: Path) -> Iterator[str]:
    """What is wrong with the pages below a folder, a sentence each."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site} has no pages"
    for file, page in pages.items():
        name = file.relative_to(site)
        yield from (f"{name} loads {address} from another host" for address in page.loads if _outside(address))
        # The page for what is not found is served at any address, so its links have no folder to count from.
        if file.name != "404.html":
            yield from (f"{name} names {address}, which is not there" for address in _dead(file, page, pages))
    for file in sorted(site.rglob("*.css")):
        for address in filter(_outside, IN_STYLES.findall(file.read_text(encoding="utf-8"))):
            yield f"{file.relative_to(site)} loads {address} from another host"


def _dead(file: Path, page: Page, pages: Mapping[Path, Page]) -> Iterator[str]:
    """The addresses on a page that should be in its site, and lead to no file or to no heading."""
    for address in [*page.loads, *page.links]:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        anchor = unquote(parts.fragment)
        if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
            yield address


def _outside(address: str) -> bool:
    """Whether a browser would ask another host for it."""
    return bool(urlsplit(address).netloc)


def main() -> None:
    """Print what is wrong, and end with 1 if anything is."""
    found = list(faults(Path(sys.argv[1]).resolve()))
    sys.stderr.write("".join(f"{fault}\n" for fault in found))
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
