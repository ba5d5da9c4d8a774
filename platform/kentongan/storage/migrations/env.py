"""Run by Alembic for every upgrade: on the connection, and in the transaction, that storage/migrate.py opened."""

from __future__ import annotations

from alembic import context

from kentongan.storage import Base
from kentongan.storage.migrate import comparing

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    **comparing(),
)
context.run_migrations()
