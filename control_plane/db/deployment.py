"""The store of the deployment's one row: whose bucket this is."""

from uuid import UUID

from control_plane.db.database import Database


class DeploymentStore:
    """The row of `deployment`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def id(self) -> UUID:
        """This deployment's id: the bucket carries the same in `meta/deployment.json`."""
        row = await self._database.row("deployment_id", {})
        assert row is not None, "the first migration inserts it"
        found: UUID = row["id"]
        return found

    async def doubt(self) -> None:
        """What was confirmed until now is released only once it was seen in the bucket again."""
        await self._database.execute("deployment_doubt", {})

    async def ledger_is_empty(self) -> bool:
        """Whether no chunk was ever acked: only then may an unmarked bucket be taken as this deployment's."""
        row = await self._database.row("ledger_is_empty", {})
        assert row is not None, "a select without from answers one row"
        empty: bool = row["empty"]
        return empty

    async def ping(self) -> None:
        """Returns if the database answers and takes writes. Raises `DatabaseReadOnly`, `DatabaseUnreachable`."""
        await self._database.ping()
