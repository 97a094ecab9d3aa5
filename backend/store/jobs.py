"""Records of jobs: they outlive the server, so a job that it left behind can be resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.tables import from_text, now, plain_value, quote, records, to_text, upsert

State = Literal["submitted", "running", "done", "failed", "cancelled", "interrupted"]
_UNFINISHED = ("submitted", "running")
_CHANGEABLE = ("title", "state", "done", "total", "message", "error", "result_key", "request")


@dataclass(frozen=True)
class JobRow:
    """One job."""

    id: str
    kind: str
    title: str
    request: dict[str, Any]  # enough to start it again
    state: State
    done: int
    total: int
    message: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    error: str | None
    result_key: str | None


def put_job(
    store: Store,
    *,
    id: str,
    kind: str,
    title: str,
    request: Mapping[str, object],
    total: int = 0,
) -> JobRow:
    """Record a job as submitted; one with the same id is started over."""
    row = {
        "id": id,
        "kind": kind,
        "title": title,
        "request": to_text(request),
        "state": "submitted",
        "done": 0,
        "total": total,
        "message": "",
        "created": now(),
        "started": None,
        "finished": None,
        "error": None,
        "result_key": None,
    }
    with store.transaction() as cursor:
        upsert(cursor, "jobs", row)
        return _job(records(cursor, "select * from jobs where id = ?", [id])[0])


def update_job(store: Store, id: str, **changes: object) -> None:
    """Change state, done, total, message, error, result_key, title or request.

    Entering `running` sets `started`, entering a final state sets `finished`. A job that was
    deleted meanwhile stays deleted.
    """
    unknown = [name for name in changes if name not in _CHANGEABLE]
    if unknown:
        raise TypeError(f"a job's {unknown[0]} cannot be changed")
    if not changes:
        return
    if "request" in changes:
        changes["request"] = to_text(changes["request"])
    state = changes.get("state")
    if state is not None:
        if state not in get_args(State):
            raise StoreError(f"{state!r} is not the state of a job.", "See jobs.State.")
        moments = {"started": now()} if state == "running" else {"finished": now()}
        changes |= {} if state == "submitted" else moments
    assignments = ", ".join(f"{quote(name)} = ?" for name in changes)
    values = [plain_value(value) for value in changes.values()]
    with store.transaction() as cursor:
        cursor.execute(f"update jobs set {assignments} where id = ?", [*values, id])


def get_job(store: Store, id: str) -> JobRow | None:
    """The job with this id."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from jobs where id = ?", [id])
    return _job(found[0]) if found else None


def list_jobs(
    store: Store, *, states: Sequence[State] = (), limit: int = 200
) -> tuple[JobRow, ...]:
    """Jobs, the newest first; in these states where given."""
    with store.cursor() as cursor:
        found = records(
            cursor,
            """select * from jobs where $states = [] or state in (select unnest($states))
            order by created desc, id limit $limit""",
            {"states": list(states), "limit": limit},
        )
    return tuple(_job(row) for row in found)


def delete_job(store: Store, id: str) -> None:
    """Forget a job; its results stay."""
    with store.transaction() as cursor:
        cursor.execute("delete from jobs where id = ?", [id])


def interrupted(store: Store) -> tuple[JobRow, ...]:
    """Mark what a previous server left unfinished as interrupted, and return it, oldest first.

    To be called once, before this server submits jobs of its own.
    """
    with store.transaction() as cursor:
        found = records(
            cursor,
            """update jobs set state = 'interrupted', finished = ?,
            message = 'The server stopped while this job was unfinished.'
            where state in (?, ?) returning *""",
            [plain_value(now()), *_UNFINISHED],
        )
    return tuple(_job(row) for row in sorted(found, key=lambda row: (row["created"], row["id"])))


def _job(row: Mapping[str, Any]) -> JobRow:
    return JobRow(**{**row, "request": from_text(row["request"])})
