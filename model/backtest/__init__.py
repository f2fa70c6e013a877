"""The same at many origins of the past: plan, fits, result, report."""
