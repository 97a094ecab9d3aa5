"""Data sets: reading users' files safely, and keeping them by content."""

from backend.data.dataset import Dataset, open_dataset, write_dataset

__all__ = ["Dataset", "open_dataset", "write_dataset"]
