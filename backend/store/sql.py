"""The SQL box: one read-only query on a packed file, in a locked-down process of its own.

`python -m backend.store.sql FILE` is that process: a request as JSON on stdin, the answer as an
Arrow stream on stdout, an error as JSON there. It cannot open files, load
extensions or change settings, and is stopped when its time is over.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from backend.errors import StoreError
from backend.store.database import one_line

MAX_BYTES = 256 << 20  # of an answer
_MEMORY = "1GB"
_START_SECONDS = 10.0  # for the process to come up, on top of the query's own time
_STATEMENTS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_FAILED, _LATE = 3, 4  # exit status: with a message for the user; stopped by its own clock
_TRUNCATED = b"penultimate.truncated"


@dataclass(frozen=True)
class _Request:
    sql: str
    limit: int
    seconds: float


def query(packed: Path, sql: str, *, limit: int = 10_000, seconds: float = 10.0) -> pa.Table:
    """Answer one SELECT (or DESCRIBE, SHOW, SUMMARIZE, EXPLAIN) on a file made by `pack`.

    Returns
    -------
    At most `limit` rows; `was_truncated` tells whether there were more.

    Raises
    ------
    StoreError : DuckDB's message, a statement that is not a query, too long, or too large.
    """
    packed = Path(packed)
    if not packed.is_file():
        raise StoreError(f"{packed} does not exist.", "Make it with `penultimate store pack`.")
    root = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    request = json.dumps({"sql": sql, "limit": limit, "seconds": seconds})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "backend.store.sql", str(packed.resolve())],
            input=request.encode(),
            capture_output=True,
            timeout=seconds + _START_SECONDS,
            env={**os.environ, "PYTHONPATH": search},
            check=False,
        )
    except subprocess.TimeoutExpired:  # run() has killed it
        raise _too_slow(seconds) from None
    if done.returncode == 0:
        return pa.ipc.open_stream(done.stdout).read_all()
    if done.returncode == _FAILED:
        said = json.loads(done.stdout)
        raise StoreError(said["what"], said["remedy"])
    if done.returncode == _LATE:
        raise _too_slow(seconds)
    raise StoreError(
        f"The query's process ended with status {done.returncode}.",
        "It may have needed too much memory: select fewer rows.",
    )


def was_truncated(table: pa.Table) -> bool:
    """Whether the query had more rows than its limit."""
    return _TRUNCATED in (table.schema.metadata or {})


def _too_slow(seconds: float) -> StoreError:
    return StoreError(
        f"The query took longer than {seconds:g} seconds and was stopped.",
        "Narrow it with `where` or `limit`, or open the packed file in DuckDB yourself.",
    )


def _open(packed: str) -> duckdb.DuckDBPyConnection:
    config = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": _MEMORY,
        "threads": "2",
        "temp_directory": "",  # nothing is written, so what does not fit in memory fails
    }
    connection = duckdb.connect(packed, read_only=True, config=config)
    connection.execute("set enable_progress_bar = false; set lock_configuration = true")
    return connection


def _answer(connection: duckdb.DuckDBPyConnection, request: _Request) -> pa.Table:
    statements = connection.extract_statements(request.sql)
    if len(statements) != 1 or statements[0].type not in _STATEMENTS:
        kind = statements[0].type.name if statements else "nothing"
        what = f"{len(statements)} statements" if len(statements) > 1 else kind
        raise StoreError(f"The box answers one query; this is {what}.", "Start with `select`.")
    relation = connection.sql(request.sql)
    # Not relation.limit(): it wraps the query and would lose its order by.
    reader = relation.to_arrow_reader(2048)
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size > MAX_BYTES:
            raise StoreError(
                f"The answer is larger than {MAX_BYTES >> 20} MB.", "Select fewer rows or columns."
            )
        if rows > request.limit:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    if rows > request.limit:
        table = table.slice(0, request.limit).replace_schema_metadata({_TRUNCATED: b"true"})
    return table


def _explained(error: Exception, request: _Request, *, late: bool) -> StoreError:
    if late and "interrupt" in str(error).lower():
        return _too_slow(request.seconds)
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
        return StoreError(f"The query needs more than {_MEMORY} of memory.", "Select fewer rows.")
    return StoreError(one_line(error))


def _serve(packed: str) -> int:
    """Answer the request on stdin; returns the exit status."""
    request = _Request(**json.load(sys.stdin))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up in the answer
    late = threading.Event()
    try:
        with contextlib.closing(_open(packed)) as connection:

            def stop() -> None:
                late.set()
                connection.interrupt()

            # Where the interrupt is not heard in time, the process ends itself: should the
            # server be gone, nobody else would.
            timers = (
                threading.Timer(request.seconds, stop),
                threading.Timer(request.seconds + 3, os._exit, (_LATE,)),
            )
            for timer in timers:
                timer.daemon = True
                timer.start()
            table = _answer(connection, request)
            for timer in timers:
                timer.cancel()
        with answers, pa.ipc.new_stream(answers, table.schema) as writer:
            writer.write_table(table)
        return 0
    except StoreError as error:
        said = error
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow's while rows stream
        said = _explained(error, request, late=late.is_set())
    with answers:
        answers.write(json.dumps({"what": said.what, "remedy": said.remedy}).encode())
    return _FAILED


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1]))
