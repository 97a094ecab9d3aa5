"""A model hub on loopback, as much of one as a download needs; and a client to ask it with."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLD = "89abcdef0123456789abcdef0123456789abcdef"


class Hub:
    """Repositories as mappings of commit -> folder; names and paths that were asked for."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Path]] = {}
        self.gated: set[str] = set()
        self.served: list[str] = []

    def commit_of(self, repo: str, revision: str) -> str | None:
        commits = self.repos[repo]
        return next(iter(commits)) if revision == "main" else next(
            (c for c in commits if c == revision), None
        )  # fmt: skip

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        parts = unquote(path.partition("?")[0]).strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        repo = "/".join(parts[2:4] if is_api else parts[:2])
        if repo not in self.repos:
            return _error(401, "RepoNotFound", "Repository not found")
        if repo in self.gated:
            return _error(403, "GatedRepo", "Access to this model is restricted")
        rest = parts[4:] if is_api else parts[2:]
        revision = rest[1] if len(rest) > 1 else "main"
        commit = self.commit_of(repo, revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        folder = self.repos[repo][commit]
        if is_api:
            return _facts(repo, commit, folder, tree=rest[:1] == ["tree"])
        file = folder / "/".join(rest[2:])
        if not file.is_file():
            return _error(404, "EntryNotFound", "Entry not found")
        self.served.append(file.name)
        content = file.read_bytes()
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": commit}
        return 200, headers, content


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _error(status: int, code: str, text: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"X-Error-Code": code, "X-Error-Message": text}, b"{}"


def _facts(repo: str, commit: str, folder: Path, *, tree: bool) -> tuple[int, dict, bytes]:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    if tree:
        body: object = [
            {"type": "file", "path": name, "size": p.stat().st_size, "oid": _oid(p.read_bytes())}
            for name, p in files.items()
        ]
    else:
        siblings = [{"rfilename": name, "size": p.stat().st_size} for name, p in files.items()]
        body = {"id": repo, "modelId": repo, "sha": commit, "private": False, "gated": False,
                "siblings": siblings, "tags": []}  # fmt: skip
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


@contextmanager
def serve(hub: Hub) -> Iterator[str]:
    """The hub's address while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
