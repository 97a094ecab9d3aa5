"""Who imports whom: arrows go one way, and starting stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE = {"errors", "keys", "settings", "threads"}
HEAVY = ("torch", "transformers", "umap", "sklearn", "distributed", "streamlit")

# `layers` is the one analysis that puts others together under one key.
BUNDLES = {"layers"}

# What each part of the backend may import from the others, besides BASE and itself.
# "a.b" admits that one module; "*" admits all. A new folder needs a row; a file without a row,
# directly in backend/, belongs to the facade: it may import all, and no folder may import it.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "keys": set(),
    "settings": set(),
    "threads": set(),
    "data": set(),
    "models": set(),
    "store": set(),
    "jobs": set(),
    "whatif": {"models"},
    "training": {"collapse", "data", "models"},
    "collapse": set(),
    "complexity": set(),
    "preferences": set(),
    "rasch": set(),
    "capture": {"data", "models", "store.vectors"},
    "demo": {"data", "models", "preferences", "rasch"},
    "analyses": {
        "capture",
        "collapse",
        "complexity",
        "data",
        "models",
        "preferences",
        "rasch",
        "store.vectors",
        "training",
        "whatif",
    },
    "figures": {
        "analyses.intervals",
        "analyses.result",
        "analyses.spec",
        "collapse.geometry",
        "collapse.metrics",
        "collapse.path",
        "collapse.playground",
        "preferences.placing",
    },
    "work": {
        "analyses",
        "capture",
        "data",
        "demo",
        "jobs",
        "models",
        "store.vectors",
        "training",
        "whatif",
    },
    "cli": {"__version__", "commands", "dashboard", "workbench"},
    "dashboard": set(),
}


def test_the_backend_imports_only_downwards(modules: dict[str, ast.Module]):
    wrong = []
    for path, target in _backend_imports(modules):
        part = Path(path).parts[1]
        assert part in ALLOWED or part.endswith(".py"), f"add a row for {part!r} to ALLOWED"
        part = part.removesuffix(".py")
        if not _may_import(part, target):
            wrong.append(f"{path} imports backend.{target}")
    assert not wrong, "\n".join(wrong)


def test_analyses_do_not_import_each_other(modules: dict[str, ast.Module]):
    from backend.analyses import ANALYSES

    keys = {name.rpartition(".")[2] for name in ANALYSES}
    wrong = []
    for path, target in _backend_imports(modules):
        here, there = Path(path).with_suffix("").parts[2:3], tuple(target.split(".")[1:2])
        is_analysis = path.startswith("backend/analyses/") and set(here) <= keys - BUNDLES
        if is_analysis and target.startswith("analyses.") and set(there) <= keys and there != here:
            wrong.append(f"{path} imports backend.{target}")
    assert not wrong, "\n".join(wrong)


def test_the_backend_knows_no_dashboard_and_one_place_holds_the_database(
    modules: dict[str, ast.Module],
):
    wrong = []
    for path, tree in modules.items():
        # What starts the dashboard calls Streamlit's own command, and nothing else of it.
        starter = "streamlit.web" if path == "backend/dashboard.py" else "-"
        asked = [name for name in _imported(tree, path) if not name.startswith(starter)]
        names = {name.split(".")[0] for name in asked}
        in_backend = path.startswith("backend/")
        if in_backend and names & {"streamlit", "ui", "pages", "app", "tests"}:
            wrong.append(f"{path} imports the dashboard")
        if "duckdb" in names and not path.startswith(("backend/store/", "tests/")):
            wrong.append(f"{path} imports duckdb; only backend/store may")
    assert not wrong, "\n".join(wrong)


def test_pages_ask_the_facade_only(modules: dict[str, ast.Module]):
    pages = {path: tree for path, tree in modules.items() if path.startswith("pages/")}
    assert pages, "there are no pages"
    parts = {Path(path).stem for path in pages if "_" in Path(path).stem}  # PAGE_part.py
    allowed = sys.stdlib_module_names | {"streamlit", "plotly", "pyarrow", "ui"} | parts
    wrong = []
    for path, tree in pages.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "backend" and not node.level:
                continue
            for name in _names(node, path):
                if name != "backend" and name.split(".")[0] not in allowed:
                    wrong.append(f"{path}:{node.lineno} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_importing_the_backend_loads_nothing_heavy():
    assert _loaded("import backend", (*HEAVY, "pandas")) == set()


def test_opening_the_facade_loads_nothing_heavy():
    code = "from backend import figures, open_workbench; open_workbench"
    assert _loaded(code, HEAVY) == set()


def test_a_worker_that_imports_the_main_script_runs_no_page(root: Path):
    # A spawned process imports the script again as __mp_main__ (that is how spawn finds classes).
    script = root / "pages" / "main.py"
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__mp_main__')"
    assert _loaded(code, HEAVY) == set()


@pytest.mark.parametrize(
    ("part", "target", "allowed"),
    [
        ("figures", "analyses.result", True),
        ("figures", "analyses.layers", False),
        ("capture", "store.vectors", True),
        ("capture", "store.database", False),
        ("capture", "store", False),
        ("data", "errors", True),
        ("data", "models.loading", False),
        ("store", "store.schema", True),
        ("cli", "store.database", False),
        ("cli", "workbench", True),
        ("data", "workbench", False),
        ("workbench", "store.database", True),
    ],
)
def test_the_rule_itself(part: str, target: str, allowed: bool):
    assert _may_import(part, target) is allowed


def test_relative_and_function_level_imports_are_seen():
    tree = ast.parse("def f():\n    from ..store import database\n    from . import spec\n")
    seen = set(_imported(tree, "backend/analyses/layers.py"))
    assert seen == {"backend.store.database", "backend.analyses.spec"}


def _may_import(part: str, target: str) -> bool:
    top = target.split(".")[0]
    rules = ALLOWED.get(part, {"*"})
    if "*" in rules or top == part or (top in BASE and part not in BASE):
        return True
    return any(target == rule or target.startswith(f"{rule}.") for rule in rules)


def _backend_imports(modules: dict[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """Pairs of a backend file and the part of the backend it imports, without `backend.`."""
    for path, tree in modules.items():
        if path.startswith("backend/"):
            for name in _imported(tree, path):
                if name.startswith("backend."):
                    yield path, name.removeprefix("backend.")


def _imported(tree: ast.AST, path: str) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from _names(node, path)


def _names(node: ast.AST, path: str) -> Iterator[str]:
    """The absolute names that an import statement asks for; a relative one counts from `path`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = Path(path).parts[: -node.level] if node.level else ()
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _loaded(code: str, unwanted: tuple[str, ...]) -> set[str]:
    """Which unwanted packages a fresh interpreter has loaded after `code`."""
    probe = f"{code}\nimport sys; print('LOADED', *(set({unwanted!r}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split("LOADED")[-1].split())
