"""Tiny hand-made wheels, and an index on this machine that serves them."""

import base64
import hashlib
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from backend.demo.fetch import Package


def make_wheel(
    folder: Path, files: Mapping[str, bytes], *, name: str = "tiny-demo", tag: str = "py3-none-any"
) -> tuple[Path, str]:
    """A wheel that pip accepts; returns its path and SHA-256."""
    plain = name.replace("-", "_")
    info = f"{plain}-1.0.dist-info"
    members = dict(files)
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    members[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    record = [f"{path},{_record_hash(data)},{len(data)}" for path, data in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plain}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def package_of(wheel: Path, sha256: str, members: tuple[str, ...], **more) -> Package:
    name = wheel.name.split("-")[0].replace("_", "-")
    return Package(name, "1.0", sha256, wheel.stat().st_size, members, **more)


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@contextmanager
def slow_index(wheel: Path, *, pieces: int = 8, pause: float = 0.15) -> Iterator[str]:
    """An index on the loopback address that serves one wheel, piece by piece; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            whole = self.path.endswith(".whl")
            link = f'<a href="/{wheel.name}">{wheel.name}</a>'
            body = wheel.read_bytes() if whole else link.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/zip" if whole else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            step = -(-len(body) // pieces) if whole else len(body)
            for start in range(0, len(body), step):
                try:
                    self.wfile.write(body[start : start + step])
                except OSError:
                    return  # the reader went away
                time.sleep(pause if whole else 0)

        def log_message(self, *args) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
