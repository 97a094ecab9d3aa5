"""The one table that is printed, and the same as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from measure import Line

_PACKAGES = (
    *("torch", "transformers", "numpy", "duckdb", "pyarrow", "streamlit", "playwright"),
    *("transformer-lens", "nnsight", "girth"),
)
_HEAD = ("benchmark", "what", "median", "range", "pairs", "bar", "verdict")


def machine() -> dict:
    """Where and with what the numbers were taken; `load` is the one-minute load average."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(v, 2) for v in os.getloadavg()],
        "versions": found,
    }


def draw(lines: Sequence[Line]) -> str:
    """Aligned text; notes go under the line that they belong to."""
    rows = [_HEAD, *map(_cells, lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    out = []
    for row, line in zip(rows, (None, *lines), strict=True):
        out.append("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
        if line is not None and line.note:
            out.append(f"{'':{widths[0]}}    {line.note}")
    return "\n".join(out)


def _cells(line: Line) -> tuple[str, ...]:
    low, high = _number(min(line.values)), _number(max(line.values))
    sign = ">=" if line.at_least else "<="
    bar = "" if line.bar is None else f"{sign} {line.bar:g} {line.unit}"
    return (
        line.group, line.what, f"{_number(line.median)} {line.unit}", f"{low}-{high}",
        str(len(line.values)), bar, line.verdict,
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 2 else f"{value:.2f}" if value < 20 else f"{value:,.0f}"


def save(path: Path, before: dict, lines: Sequence[Line], failed: dict[str, str]) -> None:
    """Write the table and the machine, with the load before and after, to a JSON file."""
    record = before | {
        "load_after": machine()["load"],
        "lines": [line.to_json() for line in lines],
        "not_run": failed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1))
