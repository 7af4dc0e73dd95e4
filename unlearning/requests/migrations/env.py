"""What alembic runs: the migrations, within the transaction of whoever opened the ledger."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
