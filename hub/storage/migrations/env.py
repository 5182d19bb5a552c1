"""Run by Alembic inside the connection that migrating.py hands over."""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from hub.storage.tables import metadata

connection: Connection = context.config.attributes["connection"]


def _ours(_: object, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:  # noqa: ANN401, FBT001
    """A database shared with others may hold tables that are not ours."""
    return not (kind == "table" and reflected and compared_to is None and name not in metadata.tables)


context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    include_object=_ours,
    user_module_prefix="base.",
)
with context.begin_transaction():
    context.run_migrations()
