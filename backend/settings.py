"""Where things are kept and what is allowed; read once from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path


def default_home() -> Path:
    """The data folder: PENULTIMATE_HOME, or the platform's place for application data."""
    if home := os.environ.get("PENULTIMATE_HOME"):
        return Path(home).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base).expanduser() / "penultimate"


@dataclass(frozen=True)
class Settings:
    """The workbench's settings.

    Every field can be set by an environment variable PENULTIMATE_<FIELD IN CAPITALS>.
    """

    home: Path  # everything that is stored lies below this folder
    scheduler: str = "local"  # "inline", "local" (one worker process), or tls://host:port
    device: str = "auto"  # auto = cuda, then mps, then cpu
    demo: bool = True  # fetch and compute the first demo when the store is empty
    trust_remote_code: bool = False  # run Python code that a model repository brings along
    max_upload_mb: int = 2048  # per uploaded file, unpacked
    max_unpacked_mb: int = 8192  # whole archive, unpacked
    max_files: int = 200_000  # files in one archive or folder
    max_tokens: int = 512  # texts longer than this are cut, and the cut is counted

    @property
    def database(self) -> Path:
        return self.home / "store.duckdb"

    @property
    def vectors(self) -> Path:
        return self.home / "vectors"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def downloads(self) -> Path:
        return self.home / "downloads"

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; keyword arguments that are not None win."""
    values: dict[str, object] = {"home": default_home()}
    for name, field in Settings.__dataclass_fields__.items():
        text = os.environ.get(f"PENULTIMATE_{name.upper()}")
        if text is None or name == "home":
            continue
        kind = type(field.default)
        values[name] = text.lower() in ("1", "true", "yes", "on") if kind is bool else kind(text)
    values |= {name: value for name, value in overrides.items() if value is not None}
    values["home"] = Path(str(values["home"])).expanduser().resolve()
    return Settings(**values)  # type: ignore[arg-type]
