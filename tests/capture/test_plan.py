"""Plans and their quotes: what is missing, bytes, seconds."""

from dataclasses import replace

import pytest

from backend.capture.plan import make_plan
from backend.capture.request import CaptureRequest

REQUEST = CaptureRequest("m", "d" * 32, ("embed", "final"), "last", 600, 600)


def plan(present=None, request=REQUEST, *, rate=1e6, tokens=10.0):
    return make_plan(
        request, present or {}, width=100, parameters=50, tokens_per_row=tokens,
        device="cpu", rate=rate,
    )  # fmt: skip


def test_everything_is_missing_at_first():
    made = plan()
    assert made.missing == tuple((shard, ("embed", "final")) for shard in range(3))
    assert (made.rows, made.of) == (600, 600)
    assert made.n_bytes == 600 * 2 * 100 * 4
    assert made.seconds == pytest.approx(2 * 50 * 10 * 600 / 1e6)
    assert made.measured and not made.complete
    assert made.quote() == "600 rows x 2 sites: about 1 s, 0 MB on disk."


def test_only_what_is_missing_is_counted():
    keys = {s: REQUEST.key(s) for s in REQUEST.sites}
    made = plan({keys["embed"]: {0, 1, 2}, keys["final"]: {0, 2}})
    assert made.missing == ((1, ("final",)),)
    assert made.rows == 256 and made.n_bytes == 256 * 100 * 4
    whole = plan({key: {0, 1, 2} for key in keys.values()})
    assert whole.complete and whole.quote() == "600 rows are captured."


def test_the_last_shard_is_as_short_as_it_is():
    keys = {s: REQUEST.key(s) for s in REQUEST.sites}
    assert plan({key: {0, 1} for key in keys.values()}).rows == 600 - 512


def test_half_precision_halves_the_bytes_and_tokens_multiply_them():
    half = make_plan(
        replace(REQUEST, half=True), {}, width=100, parameters=50, tokens_per_row=10.0,
        device="cpu", rate=None,
    )  # fmt: skip
    assert half.n_bytes * 2 == plan().n_bytes and not half.measured
    assert plan(request=replace(REQUEST, pooling="tokens")).n_bytes == 10 * plan().n_bytes


def test_a_quote_says_minutes_and_whether_it_was_measured():
    assert "about 2 min 30 s" in plan(rate=600 * 10 * 2 * 50 / 150).quote()
    assert "roughly 1 s" in plan(rate=None).quote()
    fast = make_plan(
        REQUEST, {}, width=1, parameters=10**9, tokens_per_row=100.0, device="cuda:0", rate=None
    )
    slow = make_plan(
        REQUEST, {}, width=1, parameters=10**9, tokens_per_row=100.0, device="cpu", rate=None
    )
    assert fast.seconds < slow.seconds / 100
