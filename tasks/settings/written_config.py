"""What a deployment or Prefect's form gives to a flow: `{"preset": "daily"}`, or the name of a preset of one's own."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema

from model.config import PRESETS, ForecasterConfig
from model.errors import TomorrowError
from model.presets import DEFAULT, ForecasterForm, fill_in, form_of_names
from tasks.settings.own_presets import is_file_name, own_presets, preset_named
from tasks.settings.read import read_settings


def complete(raw: Any) -> Any:
    """A configuration written by hand, completed from its preset, a built-in one or one of one's own.

    ValueError where there is no such preset, or its file is wrong. A file elsewhere cannot be named: who may start a
    run may not read any file of the worker's.
    """
    name = raw.get("preset") if isinstance(raw, Mapping) else None
    if not isinstance(name, str) or not name or name in PRESETS:
        return fill_in(raw)
    if is_file_name(name):
        raise ValueError(
            f"preset {name!r}: a file; needed: the name of a preset, which is its file in the folder presets"
        )
    try:
        own = preset_named(name)
    except TomorrowError as error:
        raise ValueError(f"{error.subject}: {error.have}; needed: {error.need}") from None
    return fill_in({**raw, "preset": own.name}, {**PRESETS, own.name: own.config})


class _Names:
    """The names of all presets, looked up when a form is made, not when this is imported."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        try:
            own, _ = own_presets(read_settings())
        except TomorrowError:  # which a run will say; here it would leave a deployment without its form
            own = ()
        return {**handler(schema), "enum": [*PRESETS, *(each.name for each in own)]}


_choice, _field = form_of_names(PRESETS)
_preset: Any = Annotated[_choice, _Names], _field
_Form = create_model("ForecasterForm", __base__=ForecasterForm, __doc__=ForecasterForm.__doc__, preset=_preset)

# `{"preset": "daily"}` is the whole preset of that name. A form begins with the name alone, not with the whole default
# configuration.
WrittenConfig = Annotated[
    ForecasterConfig,
    BeforeValidator(complete, json_schema_input_type=_Form),
    Field(json_schema_extra={"default": {"preset": DEFAULT}}),
]
WrittenConfigs = Annotated[tuple[WrittenConfig, ...], Field(json_schema_extra={"default": [{"preset": DEFAULT}]})]
