"""How much runs at once, and whether an error says that it was too much (workers only)."""

import torch

# Padded tokens that go through a model, or a block of it, at once. Larger stacks gain nothing on
# two CPU cores; the others are guesses that back-off corrects.
_TOKENS = {"cpu": 1024, "mps": 8192, "cuda": 32_768}


def tokens_at_once(device: str) -> int:
    """Tokens of a batch or a stack for a device such as cuda:0."""
    return _TOKENS[device.partition(":")[0]]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch may work."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in text or "can't allocate memory" in text)
    )
