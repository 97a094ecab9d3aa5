"""Models: where they come from, how they are opened, and where they can be read."""

from backend.models.sources import ModelSource, find_source, from_folder

__all__ = ["ModelSource", "find_source", "from_folder"]
