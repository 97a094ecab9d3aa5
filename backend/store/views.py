"""Where figures came from: dropping an exported figure on the library page reopens its view."""

from dataclasses import dataclass
from datetime import datetime

from backend.store.database import Store
from backend.store.tables import now, records, upsert


@dataclass(frozen=True)
class View:
    """The page and the query of its address that a figure was drawn for."""

    key: str
    page: str
    query: str  # without the question mark
    created: datetime


def put_view(store: Store, *, key: str, page: str, query: str) -> None:
    """Keep a view under the key that the figure's file carries."""
    with store.transaction() as cursor:
        upsert(cursor, "views", {"key": key, "page": page, "query": query, "created": now()})


def get_view(store: Store, key: str) -> View | None:
    """The view of a figure."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from views where key = ?", [key])
    return View(**found[0]) if found else None


def list_views(store: Store, *, limit: int = 100) -> tuple[View, ...]:
    """The views kept last, the newest first."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from views order by created desc, key limit ?", [limit])
    return tuple(View(**row) for row in found)


def delete_view(store: Store, key: str) -> None:
    """Forget a view."""
    with store.transaction() as cursor:
        cursor.execute("delete from views where key = ?", [key])
