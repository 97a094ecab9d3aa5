"""Where models come from: a hub id with revision, a local folder, a GGUF file.

Packaged demos and uploads become local folders first. Nothing is ever unpickled: weights are
safetensors or GGUF, and a repository's own Python code is not run unless a setting allows it.
"""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from backend.errors import ModelError
from backend.keys import digest, digest_file
from backend.settings import Settings

Progress = Callable[[int, int, str], None]
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5")
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "tokenizer*"]
_CHOICE: dict = {"allow_patterns": _WANTED, "ignore_patterns": ["*/*"]}  # of the hub, top level
# What decides the numbers: weights, and how rows become inputs.
_CONTENT = (
    *("*.safetensors", "config.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt"),
    *("*.model", "spiece*"),
)
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?")


@dataclass(frozen=True)
class ModelSource:
    """A model that can be opened: where it lies and what names its weights."""

    ref: str  # as the user wrote it
    folder: Path
    model_id: str  # org/name@commit, or the SHA-256 of the files
    title: str
    file: str = ""  # the .gguf inside the folder, if that is what is opened
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict:
        return asdict(self) | {"folder": str(self.folder), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, record: dict) -> "ModelSource":
        return cls(**record | {"folder": Path(record["folder"]), "notes": tuple(record["notes"])})


def find_source(
    ref: str, *, settings: Settings, progress: Progress = lambda done, total, what: None
) -> ModelSource:
    """Resolve a reference that is not a packaged demo; downloads from the hub when needed."""
    if not ref.strip():
        raise ModelError("No model was named.", "Give demo:NAME, a hub id, a folder or a file.")
    path = Path(ref).expanduser()
    if path.suffix == ".gguf":
        return _from_gguf(ref, path)
    if path.is_dir():
        return from_folder(ref, path, settings=settings)
    if path.exists():
        raise ModelError(
            f"{ref} is a single file that is not GGUF.",
            "Give the folder with config.json and *.safetensors, a .gguf file, or a hub id.",
        )
    if HUB_ID.fullmatch(ref):
        return _from_hub(ref, settings=settings, progress=progress)
    raise ModelError(
        f"{ref!r} is neither a folder, a .gguf file, a hub id (org/name or org/name@revision) "
        "nor demo:NAME.",
        "Check the spelling; `penultimate models` lists the demos.",
    )


def from_folder(
    ref: str, folder: Path, *, settings: Settings, model_id: str = "", title: str = ""
) -> ModelSource:
    """A local folder with config.json and safetensors; refuses anything that needs unpickling."""
    config = folder / "config.json"
    if not config.exists():
        raise ModelError(
            f"{ref} has no config.json.", "Give the folder that save_pretrained wrote."
        )
    try:
        record = json.loads(config.read_text())
    except ValueError as error:  # undecodable text too
        raise ModelError(f"{ref}/config.json is not JSON: {error}.", "Write it again.") from None
    if not isinstance(record, dict):
        raise ModelError(f"{ref}/config.json is not a JSON object.", "Write it again.")
    if not list(folder.glob("*.safetensors")):
        pickles = [p.name for pattern in _PICKLES for p in folder.glob(pattern)]
        what = f"only {pickles[0]}, which would have to be unpickled" if pickles else "no weights"
        raise ModelError(
            f"{ref} holds {what}.",
            "Save it with model.save_pretrained(folder, safe_serialization=True).",
        )
    if "auto_map" in record and not settings.trust_remote_code:
        raise ModelError(
            f"{ref} brings Python code of its own, which is not run.",
            "If you have read it and trust it, set PENULTIMATE_TRUST_REMOTE_CODE=1.",
        )
    described = folder / "demo.json"
    facts = json.loads(described.read_text()) if described.exists() else {}
    return ModelSource(
        ref=ref,
        folder=folder,
        model_id=model_id or _content_id(folder),
        title=title or facts.get("title") or folder.name,
        notes=tuple(facts.get("notes", ())),
    )


def _content_id(folder: Path) -> str:
    """Names a folder by its contents, remembered by sizes and times so that it is hashed once."""
    files = sorted({f for name in _CONTENT for f in folder.glob(name) if f.is_file()})
    stamp = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files]
    memory = folder / ".penultimate.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # not there, or not ours: hash again
        known = json.loads(memory.read_text())
        if known["stamp"] == stamp:
            return known["id"]
    model_id = digest({f.name: digest_file(f) for f in files})
    temporary = folder / f".penultimate.{os.getpid()}.tmp"
    with suppress(OSError):  # a read-only folder is hashed again next time
        temporary.write_text(json.dumps({"stamp": stamp, "id": model_id}))
        os.replace(temporary, memory)
    return model_id


def _from_gguf(ref: str, path: Path) -> ModelSource:
    if not path.is_file():
        raise ModelError(f"There is no file {ref}.", "Check the path.")
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{ref} is not a GGUF file.", "Download it again.")
    note = "weights were dequantised from a GGUF file; what its format lost stays lost"
    facts = path.stat()
    model_id = _hash_once(path.resolve(), facts.st_size, facts.st_mtime_ns)
    return ModelSource(ref, path.parent, model_id, path.stem, file=path.name, notes=(note,))


@lru_cache(maxsize=256)
def _hash_once(path: Path, *_state: int) -> str:
    """The content id of a file that has not changed since this process hashed it."""
    return digest_file(path)[:32]


def _from_hub(ref: str, *, settings: Settings, progress: Progress) -> ModelSource:
    from huggingface_hub import HfApi, errors, snapshot_download

    name, _, revision = ref.partition("@")
    page = f"https://huggingface.co/{name}"
    try:
        info = HfApi().model_info(name, revision=revision or None, files_metadata=True)
        files = {s.rfilename: s.size or 0 for s in info.siblings or () if "/" not in s.rfilename}
        if not any(f.endswith(".safetensors") for f in files):
            raise ModelError(
                f"{ref} has no safetensors, and pickled weights are not opened.",
                "Look for a converted revision (often refs/pr/1) or another upload.",
            )
        total = sum(size for f, size in files.items() if f.endswith(".safetensors"))
        progress(0, total, f"downloading {name}")
        folder = snapshot_download(
            name,
            revision=revision or None,  # the name, so that the cache knows it without a network
            **_CHOICE,
            tqdm_class=_progress_bar(progress, total, name),
        )
    except errors.GatedRepoError:
        raise ModelError(
            f"{name} is gated.", f"Accept its licence at {page}, then set HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(
            f"{name} has no revision {revision!r}.", f"See {page}/tree/main."
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"The hub has no public model {name!r}.", "Check the spelling, or set HF_TOKEN."
        ) from None
    except errors.HFValidationError as error:
        raise ModelError(f"{name!r} is no hub id: {error}.", "Check the spelling.") from None
    except (errors.LocalEntryNotFoundError, errors.HTTPError, OSError) as error:
        return _cached_on_hub(ref, name, revision, error, settings)
    return _pinned(ref, name, Path(folder), settings)


def _cached_on_hub(
    ref: str, name: str, revision: str, why: Exception, settings: Settings
) -> ModelSource:
    """Without a network the hub's local cache still serves what was downloaded before."""
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(
            name, revision=revision or None, local_files_only=True, **_CHOICE
        ))  # fmt: skip
    except (errors.LocalEntryNotFoundError, OSError):
        raise ModelError(
            f"The hub cannot be reached for {name} ({type(why).__name__}), and it is not in the "
            "local cache.",
            "Connect, or use a local folder, a .gguf file or a demo model.",
        ) from None
    return _pinned(ref, name, folder, settings)


def _pinned(ref: str, name: str, folder: Path, settings: Settings) -> ModelSource:
    """A snapshot of the hub's cache: its folder is named by the commit."""
    model_id = f"{name}@{folder.name}"
    return from_folder(ref, folder, settings=settings, model_id=model_id, title=name)


def _progress_bar(progress: Progress, total: int, name: str) -> type:
    """A tqdm class that draws nothing and reports the bytes of all files together.

    The hub's client counts what it receives and what it writes in a bar each: the larger counts.
    """
    from huggingface_hub.utils import tqdm

    counted: dict[int, int] = {}

    class Bar(tqdm):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            if options.get("unit") == "B":
                counted[id(self)] = 0

        def update(self, n: float | None = 1) -> bool | None:
            if id(self) in counted and n:
                counted[id(self)] += int(n)
                progress(min(max(counted.values()), total), total, f"downloading {name}")
            return super().update(n)

    return Bar
