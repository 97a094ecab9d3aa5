"""Everything a reader needs to check a figure: caption, code that reproduces it, data, files."""

import io
import json
import zipfile
from pathlib import PurePosixPath

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from backend.analyses.result import Result
from backend.figures import export, theme
from backend.figures.browser import BrowserMissing


def caption(result: Result) -> str:
    """A caption with the finding, n, what the intervals are, seed, model, data and key."""
    said = result.provenance
    n = result.scalars.get("n", said.get("n"))
    sample = ", ".join(theme.describe_sample({**said, "n": n}))
    source = ", ".join(theme.describe_source(said))
    parts = [result.reading.strip(), _sentence(f"{sample}; {source}".strip("; "))]
    if any({"low", "high"} <= set(table.column_names) for table in result.tables.values()):
        parts.append("Intervals (low to high) are 95 % intervals.")
    parts.append(_sentence(_oracle(said.get("oracle"))))
    parts.append(_sentence(f"{result.analysis}, key {result.key}"))
    return theme.html.unescape(" ".join(part for part in parts if part))


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def _oracle(checks: object) -> str:
    """What the check of the captures against the plain forward pass found."""
    said = []
    for check in checks if isinstance(checks, list | tuple) else ():
        if not check or check.get("verdict") == "not checked":
            said.append("capture not checked against the plain forward pass")
            continue
        same = check.get("top1")
        said.append(
            f"capture {check.get('verdict')} with the plain forward pass on {check.get('rows')} "
            f"rows: largest difference {theme.number(check.get('largest'))} of the site's size"
            + (f", same prediction in {100 * same:.3g} %" if same is not None else "")
        )
    text = "; ".join(said)
    return text[:1].upper() + text[1:]


def code(result: Result) -> str:
    """A Python program that computes this result again.

    A suite's parameters are those of its parts. `rows` counts the rows of the capture.
    """
    said = result.provenance
    if "watched" in said:
        return (
            "from backend import open_workbench\n\n"
            f"result = open_workbench().watched_collapse({said['watched']!r})\n"
            "print(result.reading)\n"
        )
    models = theme.model_refs(said)
    given: dict[str, object] = {"model": models[0]} if models else {}
    given["data"] = said.get("data_ref") or said.get("data_name") or ""
    if len(models) > 1:
        given["other"] = models[1]
    if said.get("also_ref"):
        given["also"] = said["also_ref"]
    for name in ("sites", "pooling"):
        if said.get(name):
            given[name] = said[name]
    if said.get("n") is not None and models:
        given["rows"] = said["n"]
    given["seed"] = said.get("seed", 0)
    if said.get("whatif"):
        given["whatif"] = said["whatif"]
    if said.get("dtype") == "float16":
        given["half"] = True
    parameters = dict(said.get("parameters") or {})
    given |= {name: value for name, value in parameters.items() if name not in given}
    arguments = "".join(f"    {name}={value!r},\n" for name, value in given.items())
    return (
        "from backend import open_workbench\n\n"
        "workbench = open_workbench()\n"
        f"result = workbench.run(\n    {result.analysis!r},\n{arguments})\n"
        "print(result.reading)\n"
        f"# the key was {result.key}\n"
    )


def bundle(result: Result, fig: go.Figure) -> bytes:
    """A zip with the figure, its data, caption, code and provenance.

    Without a browser the SVG and the PNG are left out and `left_out.txt` says so.
    """
    name = result.analysis
    entries: dict[str, bytes] = {f"{name}.html": export.to_html(fig).encode()}
    try:
        entries[f"{name}.svg"] = export.to_svg(fig).encode()
        entries[f"{name}.png"] = export.to_png(fig)
    except BrowserMissing as missing:
        entries["left_out.txt"] = f"{name}.svg, {name}.png: {missing}\n".encode()
    for table_name, table in result.tables.items():
        safe = PurePosixPath(table_name.replace("\\", "/")).name
        entries[f"data/{safe}.parquet"] = _parquet(table)
        entries[f"data/{safe}.csv"] = to_csv(table)
    record = {"scalars": result.scalars, "provenance": result.provenance, "key": result.key}
    entries["caption.txt"] = (caption(result) + "\n").encode()
    entries["reproduce.py"] = code(result).encode()
    entries["provenance.json"] = json.dumps(
        theme.jsonable(record), indent=2, ensure_ascii=False
    ).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in entries.items():
            # a fixed time, so that equal results give equal files
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data, 8)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pa.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def to_csv(table: pa.Table) -> bytes:
    """Comma-separated values; lists and structures are written as JSON text."""
    for at, kind in enumerate(table.schema.types):
        if pa.types.is_nested(kind):
            texts = [json.dumps(theme.jsonable(v)) for v in table.column(at).to_pylist()]
            table = table.set_column(at, table.column_names[at], pa.array(texts))
    out = io.BytesIO()
    pa.csv.write_csv(table, out)
    return out.getvalue()
