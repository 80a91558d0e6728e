"""What profiles.yml plugs into dbt: a command that writes works on a branch of the lake; only its success is published.

The same for bare dbt and for `millpond`, which holds the branch already when it runs dbt.
"""

import atexit
from contextlib import ExitStack
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

import feast_lake
from feast_lake import LakeError, Place
from millpond import settings

# dbt's commands that run models, seeds or snapshots; macros/end_writing.sql names them too.
WRITING = ("build", "run", "seed", "snapshot")


class Plugin(BasePlugin):
    """Points dbt at a branch before it attaches the lake, and gives SQL the function that ends the writing."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._own = ExitStack()
        if get_flags().WHICH not in WRITING:
            self._point_at(feast_lake.branch_of(self._catalog()).published())
            return
        if "retry" in get_flags().INVOCATION_COMMAND.split():
            raise DbtRuntimeError(
                "`dbt retry` would add to the published lake, which has nothing of the run that failed: "
                "run the whole command again"
            )
        try:
            self._work_on_a_branch()
        except LakeError as error:
            raise DbtRuntimeError(str(error)) from error

    def _work_on_a_branch(self) -> None:
        catalog = self._catalog()
        branch = feast_lake.in_course(catalog)
        if branch is None:
            branch = self._own.enter_context(feast_lake.one_writer(catalog))
            atexit.register(self._end, False)
        self._point_at(branch.place())

    def _attached(self) -> Any:
        creds: Any = self.creds
        return next(one for one in creds.attach if one.alias == creds.database)

    def _catalog(self) -> str:
        return str(self._attached().path.removeprefix("ducklake:"))

    def _point_at(self, place: Place | None) -> None:
        if place:
            self._attached().path = f"ducklake:{place.catalog}"
        if place and place.schema:
            self._attached().options["metadata_schema"] = place.schema

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        conn.create_function("end_writing", self._end, [bool], bool, side_effects=True)
        if memory := settings.build_memory():
            conn.execute("set memory_limit = ?", [memory])

    def _end(self, is_good: bool) -> bool:
        """Publish the branch, or set it aside; a branch that millpond holds is left to it."""
        own = self._own.pop_all()
        if is_good:
            own.close()
        else:
            own.__exit__(DbtRuntimeError, DbtRuntimeError("failed"), None)
        return is_good
