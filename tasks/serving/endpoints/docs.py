"""The page that describes the address for programs, from its OpenAPI description; it loads nothing from anywhere.

FastAPI's own page would have the browser load scripts and styles from another host.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from tasks.serving.board import Shown

router = APIRouter(include_in_schema=False)
# MLflow's scoring format, which other programs know, is the request that needs an example.
CURL = "curl -H 'Authorization: Bearer KEY'"


class Parameter(Shown):
    """A parameter of an operation: its name, where it stands, its type and limits, what it means."""

    name: str
    where: str
    kind: str
    about: str


class Operation(Shown):
    """One thing that a program can ask for.

    body:    an example of what is sent; empty where nothing is
    answers: status -> what it means
    fields:  of a good answer, with its description
    """

    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Parameter, ...]
    example: str
    body: str
    answers: dict[str, str]
    fields: str


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Every operation, with an example."""
    described = request.app.openapi()
    address = str(request.base_url).rstrip("/")
    operations = tuple(_operations(described, address))
    return HTMLResponse(
        _template().render(operations=operations, address=address), headers={"Cache-Control": "no-cache"}
    )


def _template() -> jinja2.Template:
    text = Path(__file__).with_name("docs.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def _operations(described: dict[str, Any], address: str) -> Iterator[Operation]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            sent = "" if body is None else json.dumps(body, indent=1)
            data = " -H 'Content-Type: application/json' -d @prices.json" if sent else ""
            good = (
                operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
            )
            schema = described.get("components", {}).get("schemas", {}).get(good.get("$ref", "").rpartition("/")[2], {})
            yield Operation(
                method=method.upper(),
                path=path,
                summary=operation.get("summary", ""),
                about=operation.get("description", ""),
                parameters=tuple(_parameter(found) for found in operation.get("parameters", ())),
                example=f"{CURL}{data} {address}{path.replace('{model}', 'META-Open')}",
                body=sent,
                answers={status: _meaning(status, found) for status, found in operation["responses"].items()},
                fields=schema.get("description", ""),
            )


def _parameter(found: dict[str, Any]) -> Parameter:
    schema = found["schema"]
    choices = next(one for one in schema.get("anyOf", [schema]) if one.get("type") != "null")
    kind = " | ".join(map(str, choices["enum"])) if "enum" in choices else str(choices.get("type", ""))
    limits = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    default = [f"default {schema['default']}"] if schema.get("default") is not None else []
    return Parameter(
        name=found["name"],
        where=found["in"],
        kind=", ".join([kind, *limits, *default]),
        about=found.get("description", ""),
    )


def _meaning(status: str, found: dict[str, Any]) -> str:
    words = {
        "200": "the answer",
        "400": "the body is wrong; the sentence says what is",
        "401": "no key, or a wrong one",
        "403": "another host or another page's request",
        "404": "no model of that name",
        "409": "nothing of the model is in Production",
        "413": "the body is too large",
        "415": "neither JSON nor CSV",
        "422": "a wrong parameter",
        "503": "not ready yet: ask again after the seconds in Retry-After",
    }
    return words.get(status, str(found.get("description", "")))
