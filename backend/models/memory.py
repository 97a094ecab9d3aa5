"""Whether an error says that memory ran out, so that a smaller piece may work (workers only)."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch may work."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in text or "can't allocate memory" in text)
    )
