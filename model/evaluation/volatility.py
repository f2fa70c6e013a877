"""The field's usual models of volatility, as distributions of the next price: GARCH, EGARCH, and a log-HAR.

All three know the security's own past. They model the change of the log price from a session's Close to the next
session's price: for the Open the overnight move. GARCH(1,1) and EGARCH(1,1,1), with Student t innovations and a
constant mean, are fitted by the library `arch`, a part of the optional extra `statistics`; the log-HAR regresses the
log variance of a session, by its range (Garman and Klass), on that of the session before and on the means of 5 and 22.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from model.artifact.distribution import PROBABILITIES
from model.artifact.scale import LEAST_SCALE
from model.errors import ConfigurationError, TooFewPrices
from model.market.prices import Prices, Values

VOLATILITY_LABELS = {
    "garch_t": "GARCH(1,1), Student t",
    "egarch_t": "EGARCH, Student t",
    "log_har": "log-HAR on the Garman-Klass range",
}
KINDS: dict[str, Literal["GARCH", "EGARCH"]] = {"garch_t": "GARCH", "egarch_t": "EGARCH"}

# Half a year of sessions to the first origin: with fewer, a likelihood of six parameters has no clear maximum.
SHORTEST_VOLATILITY = 126
# arch's optimiser wants changes of about unit size: it is given per cent.
PER_CENT = 100.0

# For the log-HAR: the sessions that log variances are averaged over; the scaled changes whose quantiles are taken.
HAR_SESSIONS = (1, 5, 22)
NEWEST_CHANGES, FEWEST_CHANGES = 250, 20

# A log variance or a log price beyond it is no sensible forecast, and its exponential could overflow.
LARGEST_LOGARITHM = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolatilityForecast:
    """Distributions made at several origins, each of the next session's price, oldest first.

    quantiles: (n, len(PROBABILITIES)) prices, ascending; a row is NaN throughout where there is none
    close:     (n,) prices, the Close at each origin
    student:   (n, 3) of a Student t of the log change: mean, standard deviation, degrees of freedom; NaN likewise, and
               None where the distribution is an empirical one
    """

    quantiles: Values
    close: Values
    student: Values | None = None

    def exact_log_density(self, actual: Values) -> Values:
        """(n,) the log density of the log price at the actual prices, (n,); NaN where none is known exactly."""
        if self.student is None:
            return np.full(len(self.close), np.nan)
        from scipy.stats import t as student_t

        mean, deviation, freedom = self.student.T
        changes = np.log(actual / self.close)
        return np.asarray(student_t.logpdf(changes, freedom, mean, deviation * np.sqrt(1 - 2 / freedom)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedVolatility:
    """A GARCH or EGARCH that is fitted.

    parameters: mean; those of the volatility, in arch's order; degrees of freedom; for changes in per cent
    backcast:   what stands for the variance before the first change, or for its logarithm
    """

    kind: Literal["GARCH", "EGARCH"]
    parameters: tuple[float, ...]
    backcast: float

    def variances(self, changes: Values) -> Values:
        """(n + 1,) the variance of each of n changes, given those before it, and of the one after the last."""
        return (_garch if self.kind == "GARCH" else _egarch)(self.parameters, self.backcast, changes)

    def likelihood(self, changes: Values) -> float:
        """The mean log density at the changes; minus infinity where it is not finite."""
        from scipy.stats import t as student_t

        mean, *_, freedom = self.parameters
        with np.errstate(all="ignore"):
            deviations = np.sqrt(self.variances(changes)[:-1] * (1 - 2 / freedom))
            found = float(student_t.logpdf(changes, freedom, mean, deviations).mean())
        return found if math.isfinite(found) else -math.inf


def first_origin(prices: Prices, origins: int, refit_every: int, fewest: int, purpose: str) -> int:
    """The row of the first of the newest `origins` sessions; TooFewPrices where fewer than `fewest` are known there."""
    if not 1 <= origins <= len(prices) or refit_every < 1:
        raise ValueError(f"{origins} origins in {len(prices)} sessions, fitted every {refit_every}")
    first = len(prices) - origins
    if first + 1 < fewest:
        raise TooFewPrices(
            f"prices of {prices.security.ticker}",
            have=f"{first + 1} sessions up to the first origin",
            need=f"at least {fewest} for {purpose}",
            remedy="give more history, or a later first origin",
        )
    return first


def volatility_forecasts(prices: Prices, column: str, origins: int, refit_every: int) -> dict[str, VolatilityForecast]:
    """Distributions made at the newest `origins` sessions, each of the price in the session after it, by name.

    At the first of them, and at every `refit_every`-th after it, a model is fitted anew on all that was known at its
    close; in between, the parameters stay, and the model is applied to the newer prices. Where GARCH or EGARCH does
    not converge from either of two starts, the likeliest of these is used: what the fits gave, the parameters before,
    a constant width. Prices that did not move keep the parameters before; without any there is no distribution.

    TooFewPrices where the first origin has too little history; ConfigurationError without the extra.
    """
    first = first_origin(prices, origins, refit_every, SHORTEST_VOLATILITY, "the forecasts of volatility")
    close = np.array(prices.column("Close"))
    with np.errstate(all="ignore"):  # an impossible price makes its changes NaN or infinite
        changes = np.log(prices.column(column)[1:] / close[:-1])
    made = {}
    for name, kind in KINDS.items():
        student = _rolled(kind, changes, first, refit_every)
        made[name] = VolatilityForecast(
            quantiles=_student_quantiles(close[first:], student), close=close[first:], student=student
        )
    made["log_har"] = VolatilityForecast(
        quantiles=close[first:, np.newaxis] * np.exp(_har_quantiles(prices, changes, first, refit_every)),
        close=close[first:],
    )
    return made


def _rolled(kind: Literal["GARCH", "EGARCH"], changes: Values, first: int, refit_every: int) -> Values:
    """(origins, 3) mean, standard deviation and degrees of freedom of the change after each session from `first` on."""
    changes = changes * PER_CENT
    student = np.full((len(changes) + 1 - first, 3), np.nan)
    fitted = None
    for origin in range(first, len(changes) + 1, refit_every):
        fitted = _fit(kind, changes[:origin], fitted)
        if fitted is None:
            continue
        stop = min(origin + refit_every, len(changes) + 1)
        mean, *_, freedom = fitted.parameters
        deviations = np.sqrt(fitted.variances(changes[: stop - 1])[origin:])
        here = student[origin - first : stop - first]
        here[:] = (mean / PER_CENT, 0, freedom)
        here[:, 1] = deviations / PER_CENT
        here[~np.isfinite(deviations)] = np.nan
    return student


def _fit(kind: Literal["GARCH", "EGARCH"], changes: Values, before: FittedVolatility | None) -> FittedVolatility | None:
    """Parameters for changes in per cent (n,): fitted, or those before, as `volatility_forecasts` says."""
    model_of = _library()
    if not np.isfinite(changes).all() or np.ptp(changes) == 0:
        return before
    # The reasons for arch's warnings are handled here; shown, they would stand between a command's lines.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = model_of(changes, mean="Constant", vol=kind, p=1, o=int(kind == "EGARCH"), q=1, dist="t", rescale=False)
        constant = _constant(kind, changes)
        least = constant.likelihood(changes)
        others = [constant, before] if before is not None else [constant]
        for start in (None, _usual(kind, changes)):
            try:
                result = model.fit(disp="off", show_warning=False, starting_values=start)
                backcast = float(model.volatility.backcast(changes - result.params.iloc[0]))
            except (ArithmeticError, ValueError, np.linalg.LinAlgError):
                continue
            fitted = FittedVolatility(kind=kind, parameters=tuple(result.params.tolist()), backcast=backcast)
            # arch bounds the variances while it fits, and may find parameters that are absurd without the bounds.
            if result.convergence_flag == 0 and fitted.likelihood(changes) > least:
                return fitted
            others.append(fitted)
        return max(others, key=lambda fitted: fitted.likelihood(changes))


def _constant(kind: Literal["GARCH", "EGARCH"], changes: Values) -> FittedVolatility:
    """The same width for every session, with an almost normal distribution."""
    mean, variance = float(changes.mean()), float(changes.var())
    widths = (variance, 0.0, 0.0) if kind == "GARCH" else (math.log(variance), 0.0, 0.0, 0.0)
    return FittedVolatility(kind=kind, parameters=(mean, *widths, 500.0), backcast=0.0)


def _usual(kind: Literal["GARCH", "EGARCH"], changes: Values) -> Values:
    """Usual parameters, to start from where arch's own start did not converge."""
    variance = float(changes.var())
    usual = [0.05 * variance, 0.1, 0.85] if kind == "GARCH" else [0.05 * math.log(variance), 0.15, 0.0, 0.95]
    return np.array([float(changes.mean()), *usual, 6.0])


def _library() -> Any:
    """The function that makes the library's models; its import takes a second."""
    try:
        from arch import arch_model
    except ModuleNotFoundError as error:
        raise missing_library("forecasts of volatility", f"{error.name or 'arch'} is not installed") from None
    return arch_model


def missing_library(subject: str, have: str) -> ConfigurationError:
    """The error for a library of the extra that is not installed."""
    return ConfigurationError(
        subject,
        have=have,
        need="the extra `statistics`",
        remedy="in the project's folder: python -m pip install '.[statistics]'",
    )


def _garch(parameters: tuple[float, ...], backcast: float, changes: Values) -> Values:
    _, constant, reaction, memory, _ = parameters
    variance = constant + (reaction + memory) * backcast
    found = [variance]
    for shock in np.square(changes - parameters[0]).tolist():
        variance = constant + reaction * shock + memory * variance
        found.append(variance)
    return np.array(found)


def _egarch(parameters: tuple[float, ...], backcast: float, changes: Values) -> Values:
    """The logarithm of the variance follows the size of the change before it, in deviations, and its sign."""
    _, constant, reaction, sign, memory, _ = parameters
    usual = math.sqrt(2 / math.pi)
    logarithm = constant + memory * backcast
    found = [logarithm]
    for change in (changes - parameters[0]).tolist():
        shock = change * math.exp(-0.5 * logarithm)
        logarithm = constant + reaction * (abs(shock) - usual) + sign * shock + memory * logarithm
        logarithm = max(-LARGEST_LOGARITHM, min(LARGEST_LOGARITHM, logarithm))
        found.append(logarithm)
    return np.exp(found)


def _student_quantiles(close: Values, student: Values) -> Values:
    """(n, len(PROBABILITIES)) prices."""
    from scipy.stats import t as student_t

    mean, deviation, freedom = (values[:, np.newaxis] for values in student.T)
    standard = student_t.ppf(np.array(PROBABILITIES), freedom) * np.sqrt(1 - 2 / freedom)
    changes = np.clip(mean + deviation * standard, -LARGEST_LOGARITHM, LARGEST_LOGARITHM)
    return np.asarray(close[:, np.newaxis] * np.exp(changes))


def _har_quantiles(prices: Prices, changes: Values, first: int, refit_every: int) -> Values:
    """(origins, len(PROBABILITIES)) quantiles of the log change after each session from `first` on, by the log-HAR."""
    variances = _log_variances(prices)
    inputs = _har_inputs(variances)
    usable = np.isfinite(inputs.sum(axis=1))
    found = np.full((len(prices) - first, len(PROBABILITIES)), np.nan)
    for origin in range(first, len(prices), refit_every):
        rows = np.flatnonzero(usable[:origin] & np.isfinite(variances[1 : origin + 1]))
        weights = np.linalg.lstsq(inputs[rows], variances[rows + 1], rcond=None)[0]
        # Summed row by row: a product of matrices rounds by how many rows it has.
        scales = np.exp(0.5 * (inputs * weights).sum(axis=1))
        scaled = changes / scales[:-1]
        for at in range(origin, min(origin + refit_every, len(prices))):
            newest = scaled[max(0, at - NEWEST_CHANGES) : at]
            newest = newest[np.isfinite(newest)]
            if len(newest) >= FEWEST_CHANGES:
                found[at - first] = scales[at] * np.quantile(newest, PROBABILITIES)
    return found


def _log_variances(prices: Prices) -> Values:
    """(n,) the logarithm of each session's variance by Garman and Klass; a session of no range has the least scale."""
    open_, high, low, close = (prices.column(name) for name in ("Open", "High", "Low", "Close"))
    with np.errstate(all="ignore"):
        variances = 0.5 * np.log(high / low) ** 2 - (2 * math.log(2) - 1) * np.log(close / open_) ** 2
    return np.log(np.maximum(np.asarray(variances, dtype=np.float64), LEAST_SCALE**2))


def _har_inputs(variances: Values) -> Values:
    """(n, 1 + len(HAR_SESSIONS)) one, and the means over the newest sessions; NaN where there are too few."""
    inputs = np.full((len(variances), 1 + len(HAR_SESSIONS)), np.nan)
    inputs[:, 0] = 1.0
    for at, sessions in enumerate(HAR_SESSIONS, start=1):
        windows = np.lib.stride_tricks.sliding_window_view(variances, sessions)
        inputs[sessions - 1 :, at] = np.ascontiguousarray(windows).mean(axis=1)
    return inputs
