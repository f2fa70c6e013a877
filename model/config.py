"""What a training is made of: frozen, validated, and shown by Prefect as a form."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_serializer, model_validator

from model.artifact.series_input import SeriesInput
from model.artifact.sessions_ahead import checked_horizons
from model.errors import UsageError, did_you_mean

Column = Literal["Open", "High", "Low", "Close"]
Cell = Literal["simple_rnn", "lstm", "peephole", "coupled", "gru"]
Count = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=0)]
Shared = Literal["own", "shared", "both"]


def _is_text(raw: Any) -> Any:
    """A ticker as text: YAML reads some tickers as another type."""
    if isinstance(raw, bool | int | float | date):
        raise ValueError(
            "a text in quotes: without them YAML reads ON, OFF, YES, NO, TRUE and FALSE as yes or no, and digits as a "
            'number; write ticker: "ON"'
        )
    return raw


# The columns that a file may have, and the signs for dates besides Python's own.
FILE_COLUMNS = ("date", "open", "high", "low", "close", "adj close", "volume", "ticker")
_DATE_SIGNS = {"yyyy": "%Y", "yy": "%y", "mmmm": "%B", "mmm": "%b", "mm": "%m", "dd": "%d", "d": "%d", "m": "%m"}


def _without_default(schema: dict[str, Any]) -> None:
    """In a form the field is empty."""
    del schema["default"]


Ticker = Annotated[str, BeforeValidator(_is_text)]
# A name alone means the usual transformations of it.
Series = Annotated[SeriesInput, BeforeValidator(lambda raw: {"name": raw} if isinstance(raw, str) else raw)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class Frozen(BaseModel):
    """A configuration: it never changes, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def known_keys(kind: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that a configuration accepts in the place of the last part of `path`, which it does not know."""
    for part in path[:-1]:
        field = kind.model_fields.get(str(part))
        inner = field.annotation if field else None
        inner = next(iter(get_args(inner)), inner)  # for a list, the type of its elements
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            kind = inner
    return [field.alias or name for name, field in kind.model_fields.items()]


class NetworkConfig(Frozen):
    """A stack of recurrent layers, each followed by dropout, and one dense layer."""

    cell: Cell = Field("lstm", description="what the layers are made of, as docs/cells.md compares them")
    units: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        (45, 45, 45, 45), description="the size of each layer, one number per layer"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="the share of each layer's outputs that a step of the fit leaves out"
    )
    kernel_initializer: str = Field("glorot_uniform", description="Keras's name for the input weights' start")
    recurrent_initializer: str = Field("orthogonal", description="Keras's name for the recurrent weights' start")
    output_initializer: str | None = Field(None, description="Keras's name for the dense layer's start, if different")
    l1: Penalty = Field(0.0, description="penalty on the weights' absolute size")
    l2: Penalty = Field(0.0, description="penalty on the weights' squared size")


class TrainingConfig(Frozen):
    """How the network is fitted."""

    epochs: Count = Field(100, description="passes over the training part")
    batch_size: Count = Field(32, description="windows in a step of the optimiser")
    optimizer: Literal["adam", "rmsprop", "sgd"] = Field("adam", description="how the weights follow the gradient")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.001, description="how far a step of the optimiser goes")
    loss: Literal["mean_squared_error", "mean_absolute_error", "huber", "pinball"] = Field(
        "mean_squared_error", description="pinball with inputs: changes, one of the others with inputs: level"
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = Field(None, description="largest norm of an array's gradient")
    clip_value: Annotated[float, Field(gt=0)] | None = Field(None, description="largest element of a gradient")
    patience: Count | None = Field(
        None, description="stop after this many epochs without a better loss on the held-back windows"
    )
    held_back: Count = Field(
        250, description="with patience: how many of the training part's newest windows are held back from the fit"
    )
    members: Count = Field(1, description="number of networks, each from its own seed, whose outputs are averaged")
    warm_start: bool = Field(
        False, description="start from the weights of the version in Production, if they have the same shape"
    )
    cold_start_every: Count = Field(
        20, description="with warm_start: one training in this many still starts from fresh weights"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="for all random numbers: the same seed gives the same weights on the same machine"
    )
    shared: Shared = Field(
        "own",
        description="which networks forecast: the security's own, those fitted on many securities, or both, averaged",
    )
    shared_network: Annotated[str, Field(pattern=r"^n[0-9a-f]{11}$")] | None = Field(
        None, description="with shared or both: the shared network's id; else the one made last for the configuration"
    )

    @model_validator(mode="after")
    def _names_a_network_that_is_used_and_one_way_of_clipping(self) -> Self:
        if self.shared == "own" and self.shared_network is not None:
            raise ValueError("shared_network needs shared: shared or shared: both")
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_norm and clip_value exclude each other")
        return self

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each network that forecasts, its own first; configurations with other seeds share none of those."""
        return self._seeds(0) + (self._seeds(self.members) if self.shared == "both" else ())

    @property
    def own_seeds(self) -> tuple[int, ...]:
        """One for each network that is fitted on the security itself."""
        return () if self.shared == "shared" else self._seeds(0)

    @property
    def most_epochs(self) -> int:
        """The epochs of all networks of the security's own together, if none stops early."""
        return self.epochs * len(self.own_seeds)

    def _seeds(self, first: int) -> tuple[int, ...]:
        return tuple((self.seed * self.members + first + i) % 2**32 for i in range(self.members))


class ForecasterConfig(Frozen):
    """Everything that a fitted forecaster depends on, besides the prices."""

    preset: str = "tutorial"
    column: Column = Field("Open", description="the price that is forecast")
    lookback: Count = Field(40, description="the number of sessions the network looks back")
    inputs: Literal["level", "changes"] = Field(
        "level",
        description="the column's scaled price, or every price's change from the Close before; with changes the "
        "network forecasts a distribution",
    )
    shrinkage: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="with changes: the share of the forecast shift that is used; 0 leaves the newest Close"
    )
    series: tuple[Series, ...] = Field(
        (), description="with changes: other series as inputs, such as the index of volatility ^VIX"
    )
    horizon: tuple[int, ...] = Field((1,), description="with changes: how many sessions ahead, such as 1 and 5")
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()

    _horizon_by_itself = field_validator("horizon")(checked_horizons)

    @model_serializer(mode="wrap")
    def _without_later_keys(self, dump: Any) -> dict[str, Any]:
        """Without what earlier configurations did not have: their digests, by which things are found, stay."""
        usual = {"series": (), "horizon": (1,)}
        return {key: value for key, value in dump(self).items() if key not in usual or tuple(value) != usual[key]}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        changes, shared = self.inputs == "changes", self.training.shared
        if changes != (self.training.loss == "pinball"):
            needed = "pinball" if changes else "mean_squared_error, mean_absolute_error or huber"
            raise ValueError(f"inputs {self.inputs} need training.loss {needed}, not {self.training.loss}")
        if shared != "own" and not changes:
            raise ValueError("training.shared needs inputs: changes, as anchored has them: prices cannot be shared")
        if self.series and (shared != "own" or not changes):
            raise ValueError("series need inputs: changes, as the preset anchored has them, and training.shared: own")
        if len({each.name.lower() for each in self.series}) != len(self.series):
            raise ValueError("series: each of them once")
        if self.horizon != (1,) and not changes:
            raise ValueError("horizons beyond 1 need inputs: changes, as the preset anchored has them")
        return self


class EvaluationConfig(Frozen):
    """Which sessions the forecaster is judged on: the newest, or a calendar month."""

    test_sessions: Count = Field(21, description="how many of the newest sessions to judge on")
    test_month: Month | None = Field(None, description="judge on this month instead, such as 2020-01")


def python_date_format(form: str) -> str:
    """Python's form of a date format such as DD/MM/YYYY; ValueError unless it has day, month and year."""
    signs = re.sub(r"[A-Za-z]+", lambda word: _DATE_SIGNS.get(word[0].lower(), word[0]), form)
    written, day = form if "%" in form else signs, date(1999, 11, 23)
    try:
        if datetime.strptime(day.strftime(written), written).date() == day:  # noqa: DTZ007 - a date without a time
            return written
    except ValueError:
        pass
    raise ValueError("day, month and year, such as %d/%m/%Y or DD/MM/YYYY")


class PriceRequest(Frozen):
    """Which prices are wanted, from where, and as known on which day."""

    ticker: Ticker = Field(
        "FB",
        description="the security's ticker, such as META or SAP.DE; empty: Facebook with yahoo, the synthetic market "
        "with sample; files need one",
        json_schema_extra=_without_default,
    )
    source: Literal["yahoo", "csv", "sample"] = Field(
        "yahoo", description="where prices come from: Yahoo, files of yours, or a synthetic market (no internet needed)"
    )
    files: tuple[str, ...] = Field((), description="with csv: files of daily prices, and folders of them")
    columns: tuple[str, ...] = Field(
        (), description="with csv: which column is which, where that is not recognised, such as close=Price USD"
    )
    date_format: str | None = Field(None, description="with csv: how dates are written, such as DD/MM/YYYY")
    series_files: tuple[str, ...] = Field((), description="files with columns that the configuration's `series` name")
    as_of: date | None = Field(None, description="use what was known at the close of that day, and no later price")
    first: date | None = Field(None, description="use no price before that day")
    vintage: Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$")] | None = Field(
        None, description="with yahoo: exactly the snapshot whose name begins with this"
    )
    accept_restatement: bool = Field(
        False,
        description="accept prices that contradict the earlier ones, of the last fetch or of the model's earlier "
        "version; this is recorded",
    )
    exchange: str | None = Field(
        None,
        description="the exchange's calendar, such as XETR; 24/7 for coins; `observed`: every day with prices is a "
        "session",
    )
    market_seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(0, description="with sample: which synthetic market")

    @model_validator(mode="before")
    @classmethod
    def _without_an_empty_ticker(cls, raw: Any) -> Any:
        """A form may send null for an empty field: it counts as not given."""
        if isinstance(raw, Mapping) and raw.get("ticker", "") is None:
            return {key: value for key, value in raw.items() if key != "ticker"}
        return raw

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            name, sign, title = text.partition("=")
            if name.strip().lower().replace("_", " ") not in FILE_COLUMNS or not sign or not title.strip():
                raise ValueError(f"NAME=TITLE, where NAME is one of {', '.join(FILE_COLUMNS)}")
        return given

    @field_validator("date_format")
    @classmethod
    def _reads_days(cls, form: str | None) -> str | None:
        if form is not None:
            python_date_format(form)
        return form


# A form begins without a ticker: a prefilled one for Yahoo would also be sent with a file of another company.
WrittenRequest = Annotated[PriceRequest, Field(json_schema_extra={"default": {"source": "yahoo"}})]

_ANCHORED = ForecasterConfig(
    preset="anchored",
    inputs="changes",
    lookback=20,
    shrinkage=0.5,
    network=NetworkConfig(units=(16,), dropout=0.0, output_initializer="zeros"),
    training=TrainingConfig(epochs=16, batch_size=64, learning_rate=0.003, loss="pinball", patience=6, members=3),
)

PRESETS: dict[str, ForecasterConfig] = {
    "tutorial": ForecasterConfig(preset="tutorial"),
    "anchored": _ANCHORED,
    # The same network, from Production's weights where they fit: what the schedule trains.
    "daily": _ANCHORED.model_copy(
        update={"preset": "daily", "training": _ANCHORED.training.model_copy(update={"warm_start": True})}
    ),
}


def preset(name: str) -> ForecasterConfig:
    """The named training configuration; UsageError for an unknown name."""
    if name not in PRESETS:
        raise UsageError(
            f"preset {name!r}",
            have=f"no preset of that name{did_you_mean(name, PRESETS)}",
            need=f"one of {', '.join(sorted(PRESETS))}",
            remedy="name one of them with --preset",
        )
    return PRESETS[name]
