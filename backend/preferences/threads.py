"""Small fits on one thread: more threads would wait for one another, badly so on a busy machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

ONE_THREAD_MOST = 50_000  # choices or ratings


@contextmanager
def threads_for(n: int) -> Iterator[None]:
    """One torch thread inside the block for few choices; as many as before otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if n <= ONE_THREAD_MOST else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
