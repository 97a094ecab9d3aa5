"""Nets trained here: recipes in, folders of checkpoints out, each of which opens as a model.

Trainings elsewhere that `backend.watch` followed are listed here too.
"""

from collections.abc import Sequence
from pathlib import Path

from backend import work
from backend.analyses.checkpoints import list_checkpoints
from backend.analyses.result import Result
from backend.assigning import Assigning
from backend.errors import UserError
from backend.jobs import Job, JobContext
from backend.keys import digest
from backend.requests import TRAIN
from backend.training import Recipe, list_runs, read_run, run_folder
from backend.watched import WatchedRun, list_watched, watched_folder


class Trained(Assigning):
    """Training runs, started in the background and kept by recipe and data."""

    def submit_training(
        self, recipe: Recipe | str | Sequence[Recipe | str], *, job_id: str = ""
    ) -> Job:
        """Start training; the job's result is an entry of `trainings()`, or a list for several.

        Equal recipes on equal data are trained once; one that was stopped goes on. Several are
        trained one after the other.

        Raises
        ------
        UserError : a recipe cannot be; what is wrong with its data fails the job.
        """
        several = isinstance(recipe, Sequence) and not isinstance(recipe, str)
        recipes = [Recipe.parse(one) for one in (recipe if several else [recipe])]  # type: ignore[list-item]
        if not recipes:
            raise UserError("No recipe was given.", "Give one or more.")

        def train(job: JobContext) -> dict | list[dict]:
            made = []
            for number, one in enumerate(recipes, start=1):
                of = f", {number} of {len(recipes)}" if several else ""
                made.append(self._train(job, one, of))
            return made if several else made[0]

        known = self.dataset(recipes[0].data)
        title = f"Train on {known.name if known else recipes[0].data} ({recipes[0].label})"
        title += f", {len(recipes)} recipes" if several else ""
        texts = [str(one) for one in recipes]
        request = {"recipe": texts if several else texts[0]}
        return self.runner.start("train", title, request, train, job_id=job_id)

    def _train(self, job: JobContext, recipe: Recipe, of: str = "") -> dict:
        dataset = self._resolve_data(job, recipe.data)
        job.report(0, 0, f"training on {dataset.name}{of}")
        return job.call(work.train, self.settings, dataset.folder, recipe)

    def model(self, ref: str) -> dict | None:
        """What a model is, if it is known; `train:RECIPE` is that training's last checkpoint."""
        if not ref.startswith(TRAIN):
            return super().model(ref)
        recipe = Recipe.parse(ref.removeprefix(TRAIN))
        dataset = self.dataset(recipe.data)
        if dataset is None:
            return None
        run = read_run(run_folder(work.trained_folder(self.settings), recipe, dataset.hash))
        if run is None or not run.finished:
            return None
        return super().model(str(run.checkpoints[-1].folder))

    def _resolve_model(self, job: JobContext, ref: str) -> dict:
        if ref.startswith(TRAIN) and self.model(ref) is None:
            made = self._train(job, Recipe.parse(ref.removeprefix(TRAIN)))
            return super()._resolve_model(job, made["checkpoints"][-1]["folder"])
        return super()._resolve_model(job, ref)

    def trainings(self) -> list[dict]:
        """The training runs on disk, the newest first; see `backend.training.Run`.

        Each has `key`, `recipe` (text), `data` (hash), `history` (losses and accuracies by epoch,
        renewed after every epoch), `checkpoints` (epoch, and the folder that names the model) and
        `finished`.
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

    def watched(self) -> list[dict]:
        """Trainings that `backend.watch` followed, the newest first; see `backend.watched`."""
        return [run.to_json() for run in self._watched_runs()]

    def watched_collapse(self, key: str) -> Result:
        """Collapse of a watched training, as the analysis `collapse` gives it; not kept, as it is
        there at once.

        Raises
        ------
        UserError : there is no such training, or it has no record yet.
        """
        from backend.analyses.collapse import of_records

        run = next((r for r in self._watched_runs() if r.folder.name == key), None)
        if run is None or not run.epochs:
            known = ", ".join(r.folder.name for r in self._watched_runs() if r.epochs)
            raise UserError(f"No epoch of a training {key!r} was watched.",
                            f"There are: {known or 'none'}.")  # fmt: skip
        name, epochs = run.facts["name"], run.epochs
        body = of_records(name, tuple(run.facts["classes"]),
                          ((epoch, run.moments(epoch)) for epoch in epochs))  # fmt: skip
        about = {"watched": key, "created": run.facts["created"], "epochs": list(epochs)}
        named = digest(about)
        provenance = about | {"key": named, "analysis": "collapse", "models": [], "seed": None,
                              "data_name": name, "n": body.scalars["n"],
                              "dtype": "float64"}  # fmt: skip
        return Result(named, "collapse", body.scalars, body.tables, body.reading, provenance)

    def _watched_runs(self) -> list[WatchedRun]:
        return list_watched(watched_folder(self.settings.home))
