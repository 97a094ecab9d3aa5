"""Small fits on one thread: more threads would wait for one another, badly so on a busy machine."""

from collections.abc import Iterator
from contextlib import contextmanager

FEW = 50_000  # rows up to which a second thread costs more than it gives


@contextmanager
def one_torch_thread(n: int = 0) -> Iterator[None]:
    """One torch thread inside the block, for at most `FEW` rows; as many as before for more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if n <= FEW else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
