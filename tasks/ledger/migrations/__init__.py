"""Alembic's scripts, which make the ledger's tables and migrate them from one release to the next.

Each script makes one version, and is never edited after its release. The ledger's version is in its own table
`ledger_version`, since in a shared database `alembic_version` is MLflow's.
"""

from pathlib import Path

import sqlalchemy as sa


def migrate(connection: sa.Connection, found: int | None) -> None:
    """Run the scripts after version `found` (None: all of them), within the caller's transaction."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent))
    steps = list(scripts.iterate_revisions("head", "base" if found is None else f"{found:04d}"))
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
