"""Templates: every value is escaped, and a name that is missing is an error."""

from functools import cache
from pathlib import Path

import jinja2

from tasks.serving.pages import wording

FOLDER = Path(__file__).with_name("templates")
FILTERS = (
    *(wording.skill, wording.share, wording.level, wording.days, wording.day, wording.moment),
    *(wording.number, wording.plural, wording.odds),
)


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update({found.__name__: found for found in FILTERS})
    return made


def rendered(template: str, **values: object) -> str:
    """A page of a template."""
    return _environment().get_template(template).render(values)
