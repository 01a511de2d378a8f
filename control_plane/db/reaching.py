"""Whether the database takes connections, asked once."""

import psycopg

from control_plane.db.database import DatabaseUnreachable

# As long as migrations wait for it: a database on another continent answers within it.
CONNECT_S = 10


def reach(database_url: str) -> None:
    """Returns if a connection can be had. Blocking. Raises `DatabaseUnreachable` with the reason in the server's words, where a
    pool would try for seconds and then tell only that it gave up.
    """
    try:
        psycopg.connect(database_url, connect_timeout=CONNECT_S).close()
    except psycopg.OperationalError as exc:
        raise DatabaseUnreachable(str(exc)) from exc
