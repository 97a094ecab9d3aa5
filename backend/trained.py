"""Nets trained here: a recipe in, a folder of checkpoints out, each of which opens as a model."""

from pathlib import Path

from backend import work
from backend.analyses.checkpoints import list_checkpoints
from backend.assigning import Assigning
from backend.errors import UserError
from backend.jobs import Job, JobContext
from backend.training import Recipe, list_runs


class Trained(Assigning):
    """Training runs, started in the background and kept by recipe and data."""

    def submit_training(self, recipe: Recipe | str, *, job_id: str = "") -> Job:
        """Start training; the job's result is an entry of `trainings()`.

        Equal recipes on equal data are trained once; one that was stopped goes on.

        Raises
        ------
        UserError : the recipe cannot be; what is wrong with its data fails the job.
        """
        recipe = Recipe.parse(recipe)

        def train(job: JobContext) -> dict:
            dataset = self._resolve_data(job, recipe.data)
            job.report(0, 0, f"training on {dataset.name}")
            return job.call(work.train, self.settings, dataset.folder, recipe)

        known = self.dataset(recipe.data)
        title = f"Train on {known.name if known else recipe.data} ({recipe.label})"
        request = {"recipe": str(recipe)}
        return self.runner.start("train", title, request, train, job_id=job_id)

    def trainings(self) -> list[dict]:
        """The training runs on disk, the newest first; see `backend.training.Run`.

        Each has `key`, `recipe` (text), `data` (hash), `history` (losses and accuracies by epoch),
        `checkpoints` (epoch, and the folder that names the model) and `finished`.
        """
        return [run.to_json() for run in list_runs(work.trained_folder(self.settings))]

    @staticmethod
    def checkpoints(folder: str) -> list[dict]:
        """The checkpoints in a folder of the user's own: `epoch` (their number) and `folder`.

        They are model folders of one architecture, named like epoch-0001 or checkpoint-500. The
        last one's folder is what names them as the model of `feature_learning`.

        Raises
        ------
        UserError : there is no such folder, or it holds no two checkpoints of one training.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise UserError(f"There is no folder {folder!r}.", "Check the path.")
        return [{"epoch": n, "folder": str(part)} for n, part in list_checkpoints(path)]
