"""The checkout's files, as the house tests see them."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = ("app.py", "backend", "pages", "assets", "tests", ".ci", ".streamlit")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def committed() -> list[Path]:
    """Every file that is in git or would be with the next `git add`; all but caches without git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        paths = {ROOT / name for name in listing.stdout.split("\0") if name}
    else:
        paths = {p for p in ROOT.iterdir() if p.is_file()}
        paths |= {p for top in TOP for p in (ROOT / top).rglob("*") if "__pycache__" not in p.parts}
    return sorted(path for path in paths if path.is_file())


@pytest.fixture(scope="session")
def modules(committed: list[Path]) -> dict[str, ast.Module]:
    """Every Python file of the checkout, parsed; keys are paths such as `backend/keys.py`."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in committed
        if path.suffix == ".py"
    }
