"""Provenance goes into every kind of file and comes back whole; foreign files are refused."""

import json
import struct
import zlib

import pytest

from backend.errors import UserError
from backend.figures import cka_map, to_html, to_json
from backend.figures.record import into_pdf, into_png, into_svg, read_provenance

HARD = {"key": "a" * 32, "data_name": '</script> & "quotes" <metadata> ünïcode 字 𝄞', "n": 5}


def tiny_png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiny_pdf() -> bytes:
    lines = [b"%PDF-1.4", b"1 0 obj", b"<</Title (x)>>", b"endobj", b"xref", b"0 2"]
    lines += [b"0000000000 65535 f ", b"0000000009 00000 n ", b"trailer"]
    lines += [b"<</Size 2", b"/Root 1 0 R", b"/Info 1 0 R>>", b"startxref", b"45", b"%%EOF", b""]
    return b"\n".join(lines)


def test_svg():
    svg = into_svg('<svg class="main-svg" width="1"><rect/></svg>', HARD)
    assert svg.startswith('<svg class="main-svg" width="1"><metadata')
    assert read_provenance(svg.encode(), "a.svg") == HARD


def test_an_svg_from_the_camera_button_gives_the_key_that_it_shows():
    svg = b'<?xml version="1.0"?><svg><text>penultimate 0123456789ab</text></svg>'
    assert read_provenance(svg, "a.svg") == {"key": "0123456789ab"}


def test_png_keeps_its_resolution_and_stays_a_valid_png():
    png = into_png(tiny_png(), HARD, dpi=300)
    assert read_provenance(png, "a.png") == HARD
    assert b"pHYs" + struct.pack(">IIB", 11811, 11811, 1) in png
    assert png.endswith(tiny_png()[-12:])


def test_pdf():
    pdf = into_pdf(tiny_pdf(), HARD, title="T")
    assert pdf.startswith(tiny_pdf())
    assert read_provenance(pdf, "a.pdf") == HARD
    at = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])
    assert pdf[at : at + 4] == b"xref"
    object_at = int(pdf[at:].split(b"\n")[4].split()[0])
    assert pdf[object_at:].startswith(b"1 0 obj")


def test_html_and_json_of_a_figure(similarity):
    fig = cka_map(similarity)
    page = to_html(fig)
    assert read_provenance(page.encode(), "a.html") == similarity.provenance
    assert read_provenance(to_json(fig).encode(), "a.json") == similarity.provenance
    assert "showSendToCloud" in page
    assert 'src="http' not in page


def test_text_of_users_cannot_leave_its_script(similarity):
    similarity.provenance["data_name"] = HARD["data_name"]
    page = to_html(cka_map(similarity))
    assert read_provenance(page.encode(), "a.html")["data_name"] == HARD["data_name"]
    assert "</script> & " not in page


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello", "not a figure"),
        (b"", "not a figure"),
        (b"<svg><rect/></svg>", "no provenance"),
        (b"<html><body/></html>", "no provenance"),
        (b'{"layout": {}}', "no provenance"),
        (b'{"layout": {"meta": [1]}}', "no key"),
        (b'{"layout": ', "not valid JSON"),
        (b"{" + b'"a":[' * 100_000, "not valid JSON"),
        (tiny_png(), "no provenance"),
        (tiny_pdf(), "no provenance"),
        (into_png(tiny_png(), HARD, dpi=96).replace(b'"n":5', b'"n":6'), "damaged"),
        (into_png(tiny_png(), HARD, dpi=96)[:90], "no provenance"),
        (b'<svg><metadata id="penultimate">{broken</metadata></svg>', "damaged"),
    ],
)
def test_other_files_are_refused_by_name(data, what):
    with pytest.raises(UserError, match=f"file.x.*{what}") as caught:
        read_provenance(data, "file.x")
    assert "exported" in caught.value.remedy


def test_json_of_the_figure_is_the_exact_record(similarity):
    layout = json.loads(to_json(cka_map(similarity)))["layout"]
    assert layout["meta"]["seed"] == 7
