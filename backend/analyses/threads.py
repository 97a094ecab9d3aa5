"""Many sites at once: one thread per core, each with single-threaded linear algebra.

The matrices of one site are small for a BLAS that cuts each product over all cores: its threads
would mostly wait for one another, badly so on a busy machine (seen: 5 times slower). Sites are
independent, so they are the better thing to spread.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from backend.analyses.spec import Progress

T = TypeVar("T")
_MOST = 8  # each thread holds a few float64 copies of its site


def one_thread() -> AbstractContextManager:
    """Hold BLAS to one thread inside a `with` block, for the whole process."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


def workers() -> int:
    """How many sites to work on at once: PENULTIMATE_THREADS, or the cores, at most 8."""
    threads = os.environ.get("PENULTIMATE_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if threads and threads.isdigit():
        return max(1, min(_MOST, int(threads)))
    return max(1, min(_MOST, os.cpu_count() or 1))


def for_each_site(
    sites: tuple[str, ...], work: Callable[[str], T], *, progress: Progress, doing: str
) -> list[T]:
    """work(site) for every site, in order; stops early when `progress` or a site raises."""
    with one_thread(), ThreadPoolExecutor(workers()) as pool:
        futures = [pool.submit(work, site) for site in sites]
        try:
            out = []
            for index, (site, future) in enumerate(zip(sites, futures, strict=True)):
                progress(index, len(sites), f"{doing} {site}")
                out.append(future.result())
            return out
        finally:
            pool.shutdown(cancel_futures=True)
