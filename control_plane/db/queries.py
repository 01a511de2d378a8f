"""Named SQL statements from `sql/queries/*.sql`: `-- name: NAME` on a line of its own, the statement below it.

Statements are whole in those files and never built from pieces, so they are typed as literals.
"""

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.MULTILINE)


def sql_dir() -> Path:
    """Where the SQL lies: beside the package in a checkout, inside it in an installed wheel."""
    packaged = Path(__file__).parent.parent / "_sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "sql"


@cache
def queries() -> dict[str, LiteralString]:
    """Every named statement. Raises ValueError where two have one name."""
    found: dict[str, LiteralString] = {}
    for path in sorted((sql_dir() / "queries").glob("*.sql")):
        parts = _NAME.split(path.read_text())
        for name, statement in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are named {name}")
            found[name] = cast("LiteralString", statement.strip())
    return found
