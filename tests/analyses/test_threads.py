import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from backend.analyses.threads import for_each_site, one_thread, workers
from backend.errors import Cancelled

SITES = tuple(f"resid_post.{i}" for i in range(40))


def test_answers_come_in_order_and_progress_counts(monkeypatch):
    monkeypatch.setenv("PENULTIMATE_THREADS", "3")
    seen = []
    out = for_each_site(SITES, str.upper, progress=lambda *a: seen.append(a), doing="reading")
    assert out == [s.upper() for s in SITES]
    assert seen[0] == (0, 40, "reading resid_post.0")
    assert len(seen) == 40


def test_cancelling_stops_the_sites_that_have_not_begun(monkeypatch):
    monkeypatch.setenv("PENULTIMATE_THREADS", "1")
    gate, done = threading.Event(), []

    def work(site):
        gate.wait(5)
        time.sleep(0.005)
        done.append(site)

    def progress(index, total, what):
        gate.set()
        if index == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        for_each_site(SITES, work, progress=progress, doing="")
    assert len(done) < 40


def test_an_error_of_a_site_is_raised(monkeypatch):
    def work(site):
        raise ZeroDivisionError(site)

    with pytest.raises(ZeroDivisionError, match="resid_post.0"):
        for_each_site(SITES, work, progress=lambda *a: None, doing="")


def test_blas_is_held_to_one_thread():
    np.ones((2, 2)) @ np.ones((2, 2))
    with one_thread():
        pools = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]
    assert set(pools) == {1}


def test_the_number_of_workers_follows_the_setting(monkeypatch):
    monkeypatch.setenv("PENULTIMATE_THREADS", "2")
    assert workers() == 2
    monkeypatch.setenv("PENULTIMATE_THREADS", "500")
    assert workers() == 8
