"""Alembic's scripts that bring an older release's ledger to this one's tables, a script a version.

A script is never edited once it has been released: it stands for what the release before had, whatever the tables
have become since. Which version a ledger has is told by its own table `ledger_version`, since on a shared server
`alembic_version` is MLflow's.
"""

from pathlib import Path

import sqlalchemy as sa


def migrate(connection: sa.Connection, found: int) -> None:
    """Run the scripts after version `found`, within the transaction that the caller holds."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent))
    steps = list(scripts.iterate_revisions("head", f"{found:04d}"))
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
