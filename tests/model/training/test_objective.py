"""The loss of a distribution by hand, by Keras and by NumPy; the linear branch where the answer is known."""

from itertools import product

import numpy as np
import pytest

from model.artifact.market_state import LARGEST_INPUT, STATE, StateBranch
from model.market.prices import Values
from model.training.objective import LEVELS, RIDGE, Pinball, fit_branch

N = 4000


def test_the_levels_are_the_middles_of_twenty_equal_cells() -> None:
    np.testing.assert_allclose(LEVELS, np.arange(0.025, 1, 0.05))


def test_the_quantiles_are_the_training_parts_own() -> None:
    found = Pinball.of(np.arange(201.0)).quantiles
    np.testing.assert_allclose(found, 200 * LEVELS, rtol=1e-6)
    assert found.dtype == np.float32


def test_the_loss_is_what_is_counted_by_hand() -> None:
    loss = Pinball(quantiles=np.linspace(-1.9, 1.9, 20, dtype=np.float32))
    offset, output, shift, target = 0.1, 0.2, 0.5, 1.0
    expected = 0.0
    for level, quantile in zip(LEVELS, np.linspace(-1.9, 1.9, 20), strict=True):
        above = target - (shift + np.exp(offset + output) * quantile)
        expected += level * above if above > 0 else (1 - level) * -above
    found = loss.mean(np.array([target]), np.array([offset]), np.array([[output, shift]]))
    assert found == pytest.approx(expected / 20, rel=1e-6)


def test_kerass_losses_are_numpys() -> None:
    rng = np.random.default_rng(0)
    targets, offsets = (rng.normal(size=50).astype(np.float32) for _ in range(2))
    outputs = rng.normal(0, 0.5, (50, 2)).astype(np.float32)
    loss = Pinball.of(targets)
    each = np.asarray(loss.losses(targets, offsets, outputs))
    exact = outputs.astype(np.float64)
    assert each.shape == (50,)
    for row in range(50):
        part = slice(row, row + 1)
        assert each[row] == pytest.approx(loss.mean(targets[part], offsets[part], exact[part]), rel=1e-5)
    assert each.mean() == pytest.approx(loss.mean(targets, offsets, exact), rel=1e-5)


def test_the_loss_of_given_quantiles_is_that_of_the_part_that_they_come_from() -> None:
    targets = np.random.default_rng(0).normal(size=9).astype(np.float32)
    outputs = np.zeros((9, 2), np.float32)
    other = Pinball.of(3 * targets)
    replaced = Pinball.losses_at(other.quantiles, targets, np.zeros(9, np.float32), outputs)
    np.testing.assert_array_equal(replaced, other.losses(targets, np.zeros(9, np.float32), outputs))


def simulated(doubled_by: int, missing: float = 0.0) -> tuple[Values, Values]:
    """States and changes whose width doubles where one input is 1, not 0; a share of its values is missing."""
    rng = np.random.default_rng(doubled_by)
    state = rng.normal(size=(N, len(STATE)))
    state[:, doubled_by] = rng.integers(0, 2, N)
    changes = rng.normal(size=N) * 2 ** state[:, doubled_by]
    state[rng.random(N) < missing, doubled_by] = np.nan
    return state, changes


def penalised(branch: StateBranch, state: Values, changes: Values) -> float:
    quantiles = np.quantile(changes, LEVELS)
    widened = np.outer(np.exp(branch.correction(state)), quantiles)
    above = changes[:, np.newaxis] - widened
    loss = np.where(above > 0, LEVELS * above, (LEVELS - 1) * above).mean()
    return float(loss + RIDGE * np.square(branch.weights).sum())


def nudged(branch: StateBranch, which: int, by: float) -> StateBranch:
    weights = np.array([branch.constant, *branch.weights])
    weights[which] += by
    constant, *others = weights.tolist()
    return StateBranch(constant=constant, weights=tuple(others), means=branch.means, deviations=branch.deviations)


def test_no_weight_can_be_nudged_to_a_smaller_penalised_loss() -> None:
    state, changes = simulated(3, missing=0.1)
    branch = fit_branch(state, changes)
    least = penalised(branch, state, changes)
    for which, by in product(range(20), (-0.02, 0.02)):
        assert penalised(nudged(branch, which, by), state, changes) > least
    # The slope that is left, by finite differences, is nothing beside that of a start at zero.
    sides = [[penalised(nudged(branch, w, by), state, changes) for by in (-1e-3, 1e-3)] for w in range(20)]
    slopes = np.diff(sides, axis=1) / 2e-3
    np.testing.assert_allclose(slopes, 0, atol=1e-3)


@pytest.mark.parametrize("which", [0, 7, 18])
def test_an_input_that_doubles_the_width_is_found_and_no_other(which: int) -> None:
    branch = fit_branch(*simulated(which))
    others = np.delete(branch.weights, which)
    assert branch.weights[which] > 5 * np.abs(others).max()
    low, high = np.zeros((2, len(STATE)))
    high[which] = 1
    widened = np.diff(branch.correction(np.array([low, high])))[0]
    # Between nothing and all of the factor of two: the penalty holds it back.
    assert 0.5 * np.log(2) < widened < np.log(2)


def test_the_penalty_holds_weights_back_and_not_the_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    state, changes = simulated(5)
    sizes = []
    for ridge in (0.0, 0.03, 0.3, 3000.0):
        monkeypatch.setattr("model.training.objective.RIDGE", ridge)
        branch = fit_branch(state, changes)
        sizes.append(np.linalg.norm(branch.weights))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] * 2 == pytest.approx(np.log(2), rel=0.05)  # an input of 0 or 1 has a deviation of a half
    assert sizes[-1] < 1e-4


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, np.nan])
def test_an_input_that_never_differs_has_no_effect(value: float) -> None:
    state, changes = simulated(2)
    state[:, 9] = value
    branch = fit_branch(state, changes)
    assert branch.deviations[9] == 1
    assert branch.weights[9] == pytest.approx(0, abs=1e-12)


def test_rounding_is_no_difference() -> None:
    state, changes = simulated(2)
    state[:, 9] = 13.8 + 1e-15 * np.random.default_rng(0).normal(size=N)
    assert fit_branch(state, changes).weights[9] == pytest.approx(0, abs=1e-12)


def test_means_and_deviations_are_of_the_values_that_are_there() -> None:
    state, changes = simulated(4, missing=0.3)
    branch = fit_branch(state, changes)
    np.testing.assert_allclose(branch.means, np.nanmean(state, axis=0))
    np.testing.assert_allclose(branch.deviations, np.nanstd(state, axis=0))


def test_a_value_far_out_counts_no_more_than_four_deviations() -> None:
    state, changes = simulated(4)
    state[0, 0] = 1e4
    branch = fit_branch(state, changes)
    far, further = (np.array([[value, *branch.means[1:]]]) for value in (1e4, 1e9))
    assert branch.correction(far) == branch.correction(further)
    assert branch.correction(far)[0] - branch.constant == pytest.approx(LARGEST_INPUT * branch.weights[0])
