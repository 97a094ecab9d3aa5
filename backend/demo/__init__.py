"""Demo models and data sets: fetched from pinned packages when they are first used."""

from backend.demo.build import ensure, find_ready
from backend.demo.catalogue import DEMO, Demo, find

__all__ = ["DEMO", "Demo", "ensure", "find", "find_ready"]
