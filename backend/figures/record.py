"""Provenance inside files: written into SVG, PNG, PDF, HTML and JSON, and read back from them.

Files come from strangers: nothing is parsed by an XML or HTML parser, sizes are limited, and what
does not look like ours is refused.
"""

import html
import json
import re
import struct
import zlib
from collections.abc import Mapping

from backend.errors import DataError

_MOST_BYTES = 256 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"penultimate"
_SVG_TAG = re.compile(r"<svg\b[^>]*>")
_SVG_NOTE = re.compile(r'<metadata id="penultimate">(.*?)</metadata>', re.DOTALL)
_HTML_NOTE = re.compile(
    r'<script type="application/json" id="penultimate">(.*?)</script>', re.DOTALL
)
_PDF_NOTE = re.compile(rb"/Keywords <FEFF([0-9A-F]*)>")
_PDF_INFO = re.compile(rb"/Size (\d+)\s*/Root (\d+ \d+ R)\s*/Info (\d+) 0 R")
_FOOTER = re.compile(r"\bpenultimate ([0-9a-f]{12})\b")
_REMEDY = "Give an SVG, PNG, PDF, HTML or JSON file that Penultimate exported."


def compact(provenance: Mapping[str, object]) -> str:
    """Provenance as one line of JSON."""
    return json.dumps(provenance, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def into_svg(svg: str, provenance: Mapping[str, object]) -> str:
    """The SVG with a `<metadata>` element as its first child."""
    note = f'<metadata id="penultimate">{html.escape(compact(provenance))}</metadata>'
    return _SVG_TAG.sub(lambda tag: tag.group() + note, svg, count=1)


def into_png(png: bytes, provenance: Mapping[str, object], *, dpi: float) -> bytes:
    """The PNG with an iTXt chunk (UTF-8) and its resolution, right after the header."""
    text = _KEYWORD + b"\0\0\0\0\0" + compact(provenance).encode()
    per_metre = round(dpi / 0.0254)
    size = _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))
    after_header = len(_PNG) + 25  # 4 length + 4 name + 13 data + 4 checksum
    return png[:after_header] + size + _chunk(b"iTXt", text) + png[after_header:]


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def into_pdf(pdf: bytes, provenance: Mapping[str, object], *, title: str) -> bytes:
    """The PDF with title and keywords, as an incremental update of its information object."""
    trailer = _PDF_INFO.search(pdf, pdf.rfind(b"trailer"))
    if trailer is None:
        raise ValueError("the PDF has no classic trailer with an information object")
    size, root, info = trailer[1], trailer[2], trailer[3]
    old_table = pdf[pdf.rfind(b"startxref") + 9 :].split()[0]
    at = len(pdf)
    words = [(b"Title", title), (b"Keywords", compact(provenance)), (b"Creator", "Penultimate")]
    fields = b"\n".join(b"/" + name + b" " + _pdf_text(text) for name, text in words)
    body = info + b" 0 obj\n<<" + fields + b">>\nendobj\n"
    table = b"xref\n0 1\n0000000000 65535 f \n%s 1\n%010d 00000 n \n"
    table += b"trailer\n<</Size %s\n/Root %s\n/Info %s 0 R\n/Prev %s>>\n"
    table %= (info, at, size, root, info, old_table)
    return pdf + body + table + b"startxref\n%d\n%%%%EOF\n" % (at + len(body))


def _pdf_text(text: str) -> bytes:
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode() + b">"


def into_html(page: str, provenance: Mapping[str, object], *, title: str) -> str:
    """The page with a title and the provenance as a JSON script element."""
    data = compact(provenance).replace("<", "\\u003c")
    note = f'<script type="application/json" id="penultimate">{data}</script>'
    head = f"<head><title>{html.escape(title)}</title>{note}"
    return page.replace("<head>", head, 1)


def read_provenance(data: bytes, name: str) -> dict:
    """The provenance that an exported figure carries.

    Parameters
    ----------
    data : the file's bytes; what it is, is told by its content.
    name : how the user calls the file; for messages.

    Returns
    -------
    The whole provenance; of an SVG saved by the chart's camera button only `{"key": ...}` with the
    12 digits that its small print shows.

    Raises
    ------
    DataError : another kind of file, a damaged one, or one without provenance.
    """
    if len(data) > _MOST_BYTES:
        raise DataError(f"{name} is too large for an exported figure.", _REMEDY)
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data.startswith(_PNG):
        text = _from_png(data, name)
    elif data.startswith(b"%PDF-"):
        text = _from_pdf(data)
    elif start.startswith(b"{"):
        return _from_json(data, name)
    elif b"<svg" in start[:1024]:
        svg = data.decode("utf-8", "replace")
        if _SVG_NOTE.search(svg) is None and (key := _FOOTER.search(svg)):
            return {"key": key[1]}
        text = _unescape(_SVG_NOTE.search(svg))
    elif b"<html" in start.lower():
        match = _HTML_NOTE.search(data.decode("utf-8", "replace"))
        text = match[1] if match else None
    else:
        raise DataError(f"{name} is not a figure that Penultimate exports.", _REMEDY)
    return _checked(text, name)


def _unescape(match: re.Match | None) -> str | None:
    return None if match is None else html.unescape(match[1])


def _from_png(data: bytes, name: str) -> str | None:
    """The text of our iTXt chunk, or None; damaged chunks are refused."""
    at = len(_PNG)
    while at + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if len(body) < size:
            break
        if kind == b"iTXt" and body.startswith(_KEYWORD + b"\0\0"):
            (checksum,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
            if checksum != zlib.crc32(kind + body):
                raise DataError(f"{name} is damaged: its text does not match its sum.", _REMEDY)
            return body.split(b"\0", 5)[5].decode("utf-8", "replace")
        at += 12 + size
    return None


def _from_pdf(data: bytes) -> str | None:
    found = _PDF_NOTE.findall(data)
    if not found or len(found[-1]) % 4:
        return None
    return bytes.fromhex(found[-1].decode()).decode("utf-16-be", "replace")


def _from_json(data: bytes, name: str) -> dict:
    try:
        figure = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError(f"{name} is not valid JSON.", _REMEDY) from None
    layout = figure.get("layout")
    meta = layout.get("meta") if isinstance(layout, dict) else None
    return _checked(json.dumps(meta) if meta is not None else None, name)


def _checked(text: str | None, name: str) -> dict:
    if text is None:
        raise DataError(f"{name} carries no provenance.", _REMEDY)
    try:
        provenance = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{name} is damaged: its provenance cannot be read.", _REMEDY) from None
    if not isinstance(provenance, dict) or "key" not in provenance:
        raise DataError(f"{name} carries no key of a result.", _REMEDY)
    return provenance
