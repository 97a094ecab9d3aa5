"""Progress files: whole or absent, at most ten a second, and the user's stop."""

import json
import threading

import pytest

from backend.errors import Cancelled
from backend.jobs.ticks import Ticker, ask_to_cancel, clear_all, clear_ticks, read_tick


def test_the_last_report_is_read(tmp_path):
    ticker = Ticker(tmp_path, "a")
    assert read_tick(tmp_path, "a") is None
    ticker.progress(1, 4, "one")
    assert read_tick(tmp_path, "a") == (1, 4, "one")
    ticker.progress(2, 4, "too soon")
    assert read_tick(tmp_path, "a") == (1, 4, "one")
    ticker.progress(4, 4, "the last is always said")
    assert read_tick(tmp_path, "a") == (4, 4, "the last is always said")


@pytest.mark.parametrize("text", ["", "[1, 2", "[1, 2]", "null"])
def test_a_damaged_file_is_no_report(tmp_path, text):
    (tmp_path / "a.tick").write_text(text)
    assert read_tick(tmp_path, "a") is None


def test_a_reader_never_sees_half_a_report(tmp_path):
    """Long messages, written as fast as they go, while another thread reads the bytes."""
    stop, wrong, seen = threading.Event(), [], set()

    def read():
        while not stop.is_set():
            try:
                done, total, message = json.loads((tmp_path / "a.tick").read_text())
            except FileNotFoundError:
                continue
            except ValueError as error:
                wrong.append(error)
                continue
            seen.add(done)
            if message != f"{done} " * 2000 or total != 0:
                wrong.append(done)

    reader = threading.Thread(target=read)
    reader.start()
    ticker = Ticker(tmp_path, "a")
    for i in range(20_000):  # until the reader has had its turn; a busy machine may take long
        ticker.progress(i, 0, f"{i} " * 2000)  # done >= total: every report is written
        if i >= 400 and (wrong or len(seen) > 5):
            break
    stop.set()
    reader.join()
    assert not wrong and len(seen) > 5
    assert [p.name for p in tmp_path.iterdir()] == ["a.tick"]


def test_a_stop_is_seen_at_the_next_report_of_that_job_only(tmp_path):
    ask_to_cancel(tmp_path, "a")
    with pytest.raises(Cancelled):
        Ticker(tmp_path, "a").progress(0, 1)
    Ticker(tmp_path, "b").progress(0, 1)


def test_files_are_removed(tmp_path):
    Ticker(tmp_path, "a").progress(1, 1)
    ask_to_cancel(tmp_path, "a")
    clear_ticks(tmp_path, "a", cancel=False)
    assert [p.name for p in tmp_path.iterdir()] == ["a.cancel"]
    clear_ticks(tmp_path, "a")
    assert not list(tmp_path.iterdir())
    (tmp_path / "b.17.tmp").touch()
    (tmp_path / "keep.txt").touch()
    ask_to_cancel(tmp_path, "b")
    clear_all(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["keep.txt"]
