"""A fitted forecaster as the start of another fit, without a registry between them."""

from model.forecaster.forecaster import Forecaster
from model.training.warm_start import Parent, Past, member_weights


def as_parent(fitted: Forecaster, name: str) -> Parent:
    """What a later training of the registry would make of it."""
    return Parent(
        past=Past(name=name, config=fitted.config, trained_until=fitted.trained_until, generation=fitted.generation),
        weights=member_weights(fitted.network),
    )
