"""Called by Alembic: use the caller's connection and its transaction."""

from alembic import context

from kreislauf.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
