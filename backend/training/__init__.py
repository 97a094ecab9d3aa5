"""Small nets trained here, with every checkpoint kept as a model that can be looked into."""

from backend.training.recipe import Recipe
from backend.training.run import Checkpoint, Run, list_runs, read_run, run_folder

__all__ = ["Checkpoint", "Recipe", "Run", "list_runs", "read_run", "run_folder"]
