"""The models and data sets that a workbench knows: adding them, finding them, removing them."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from backend import work
from backend.data.crops import SIDES, check_cut
from backend.data.dataset import Dataset
from backend.errors import ModelError
from backend.jobs import Job, JobContext, JobRunner, open_executor
from backend.models.sources import ModelSource, find_source, from_folder
from backend.settings import Settings
from backend.store import Store, catalogue, datasets, jobs

_DIGITS = 12  # of a content hash, that lists show


@dataclass(frozen=True)
class Offer:
    """A model or data set that can be picked: a demo, or one that was added."""

    ref: str
    title: str
    kind: str  # text, image or audio; empty before a model was opened
    ready: bool  # nothing has to be fetched
    note: str  # what it is, and what fetching costs
    licence: str = ""

    @property
    def label(self) -> str:
        """The title for a list; what must be fetched says so."""
        return self.title if self.ready else f"{self.title} (demo, fetched on use)"

    def fits(self, modality: str) -> bool:
        """Whether a model of this modality can read it; captions are texts too."""
        return self.kind == modality


class _Records:
    """What the job runner needs of the store."""

    def __init__(self, store: Store):
        self.store = store

    def put_job(self, **fields: object) -> None:
        jobs.put_job(self.store, **fields)

    def update_job(self, job: str, **fields: object) -> None:
        jobs.update_job(self.store, job, **fields)


class Library:
    """Models and data by reference; what is not known yet is resolved in a worker."""

    def __init__(self, settings: Settings):
        self.settings = settings
        settings.home.mkdir(parents=True, exist_ok=True)
        self.store = Store(settings.home)
        self.executor = open_executor(settings.scheduler)
        self.runner = JobRunner(_Records(self.store), self.executor, settings.jobs)

    def offers(self, what: str) -> list[Offer]:
        """What can be picked: `model` or `data`; demos first, then what was added."""
        from backend.demo import DEMO

        known = {m["ref"]: m for m in self.models()} if what == "model" else {}
        rows = datasets.list_datasets(self.store) if what == "data" else ()
        ready = set(known) | {row.ref for row in rows}
        offers = []
        for demo in DEMO:
            ref = f"demo:{demo.name}"
            if (demo.kind == "model") != (what == "model"):
                continue
            if not demo.is_offered and ref not in ready:
                continue
            size = f"; {demo.download_bytes / 1e6:,.0f} MB to fetch" if ref not in ready else ""
            offers.append(Offer(
                ref, demo.title, demo.reads if what == "model" else demo.kind, ref in ready,
                demo.description + size, demo.licence,
            ))  # fmt: skip
        for ref, facts in known.items():
            if not ref.startswith("demo:"):
                offers.append(Offer(ref, facts["title"], facts["modality"], True, facts["class"]))
        for row in rows:
            if not row.ref.startswith("demo:"):
                note = f"{row.n_rows:,} rows"
                offers.append(Offer(row.hash, row.name, row.kind, True, note))
        return offers

    # Models

    def models(self) -> list[dict]:
        """Descriptions of the models that were opened before, the newest first."""
        return [row.description for row in catalogue.list_models(self.store)]

    def model(self, ref: str) -> dict | None:
        """What a model is, if it is known; None before it was resolved."""
        for row in catalogue.list_models(self.store):
            if row.ref == ref and row.path is not None and row.path.exists():
                return None if self._changed(ref, row.model_id) else row.description
        return None

    def _changed(self, ref: str, model_id: str) -> bool:
        """Whether a local folder holds other weights than when it was described."""
        path = Path(ref).expanduser()
        if path.is_file():
            return find_source(ref, settings=self.settings).model_id != model_id
        if not path.is_dir():
            return False
        return from_folder(ref, path, settings=self.settings).model_id != model_id

    def describe(self, ref: str) -> dict:
        """What a model is; fetches it and reads its config when it is not known yet."""
        return self.model(ref) or self.runner.wait(self.submit_model(ref))

    def submit_model(self, ref: str):
        """Start resolving a model in the background; returns the job."""
        return self.runner.start(
            "model", f"Open {ref}", {"ref": ref}, lambda job: self._resolve_model(job, ref)
        )

    def _resolve_model(self, job: JobContext, ref: str) -> dict:
        if known := self.model(ref):
            return known
        job.report(0, 0, f"looking at {ref}")
        source, description = job.call(work.resolve_model, self.settings, ref)
        description |= {"source": source.to_json()}
        catalogue.put_model(
            self.store, model_id=source.model_id, ref=ref, title=source.title,
            modality=description["modality"], description=description, path=source.folder,
        )  # fmt: skip
        return description

    @staticmethod
    def source(description: dict) -> ModelSource:
        """Where a described model lies."""
        return ModelSource.from_json(description["source"])

    def add_model(self, archive: Path, name: str) -> str:
        """Unpack an uploaded zip of config.json and safetensors; returns its reference.

        Raises
        ------
        UserError : the archive is unsafe, or holds no model that can be opened.
        """
        from backend.data.archive import unpack

        uploads = self.settings.models / "uploads"
        uploads.mkdir(parents=True, exist_ok=True)
        target = uploads / (_plain_name(Path(name).stem) or "model")
        with tempfile.TemporaryDirectory(dir=uploads, prefix=".part-") as made:
            part = Path(made) / "model"
            unpack(archive, part, settings=self.settings)
            roots = sorted(part.rglob("config.json"), key=lambda p: (len(p.parts), p))
            if not roots:
                raise ModelError(
                    f"{name} holds no config.json.", "Zip the folder that save_pretrained wrote."
                )
            from_folder(name, roots[0].parent, settings=self.settings)
            if target.exists():  # only now: a bad upload does not cost the earlier one
                shutil.rmtree(target)
            os.replace(part, target)
        return str(target / roots[0].parent.relative_to(part))

    def remove_model(self, model_id: str) -> None:
        """Forget a model with its captures; files below the data folder are removed too."""
        row = catalogue.get_model(self.store, model_id)
        catalogue.delete_model(self.store, model_id)
        if row and row.path and row.path.is_relative_to(self.settings.models):
            shutil.rmtree(row.path, ignore_errors=True)

    # Data

    def datasets(self) -> list[Dataset]:
        """The data sets in the store, the newest first."""
        return [Dataset.from_json(r.description) for r in datasets.list_datasets(self.store)]

    def dataset(self, ref: str) -> Dataset | None:
        """A data set by reference, name of a demo, path or hash, if it was read before.

        Of a hash its first twelve digits will do.
        """
        stamp = _stamp(ref)
        for row in datasets.list_datasets(self.store):
            if row.ref == stamp or (len(ref) >= _DIGITS and row.hash.startswith(ref)):
                return Dataset.from_json(row.description)
        return None

    def add_data(
        self, ref: str, *, text_column: str | None = None, name: str | None = None
    ) -> Dataset:
        """Read a data file, a folder or a demo set; equal content is kept once."""
        return self.runner.wait(self.submit_data(ref, text_column=text_column, name=name))

    def submit_data(self, ref: str, *, text_column: str | None = None, name: str | None = None):
        """Start reading data in the background; returns the job."""
        request = {"ref": ref, "text_column": text_column, "name": name}
        return self.runner.start(
            "data", f"Read {name or ref}", request,
            lambda job: self._resolve_data(job, ref, text_column, name),
        )  # fmt: skip

    def _resolve_data(
        self, job: JobContext, ref: str, text_column: str | None = None, name: str | None = None
    ) -> Dataset:
        if text_column is None and (known := self.dataset(ref)):
            return known
        job.report(0, 0, f"reading {name or ref}")
        dataset = job.call(work.resolve_data, self.settings, ref, text_column, name)
        return self._remember_data(dataset, _stamp(ref))

    def submit_crops(
        self, data: str, *, per_image: int = 30, sides: Sequence[float] = SIDES, seed: int = 0
    ) -> Job:
        """Start cutting every picture of a data set into squares; the job gives a new data set.

        Its column `file` says which rows are of one picture. Equal crops are cut once.

        Parameters
        ----------
        per_image : crops of each picture, shared among the sizes.
        sides : sides of the squares as shares of the picture's shorter side, above 0 and up to 1.

        Raises
        ------
        UserError : sizes that cannot be; data without pictures fail the job.
        """
        sides = tuple(sides)
        check_cut(per_image, sides, seed)

        def cut(job: JobContext) -> Dataset:
            dataset = self._resolve_data(job, data)
            ref = f"crops of {dataset.hash}: {per_image} of sides {sides}, seed {seed}"
            if known := self.dataset(ref):
                return known
            job.report(0, 0, f"cutting {dataset.name}")
            made = job.call(work.cut_crops, self.settings, dataset, per_image, sides, seed)
            return self._remember_data(made, ref)

        known = self.dataset(data)
        request = {"data": data, "per_image": per_image, "sides": list(sides), "seed": seed}
        title = f"Cut {known.name if known else data} into crops"
        return self.runner.start("crops", title, request, cut)

    def _remember_data(self, dataset: Dataset, ref: str) -> Dataset:
        datasets.put_dataset(
            self.store, dataset.table(), hash=dataset.hash, ref=ref, name=dataset.name,
            kind=dataset.kind, folder=dataset.folder, description=dataset.to_json(),
        )  # fmt: skip
        return dataset

    def keep_upload(self, name: str, content: bytes) -> Path:
        """Put an uploaded file where a worker can read it; it is removed once it was read."""
        folder = self.settings.home / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / (_plain_name(name) or "upload")
        target.write_bytes(content)
        return target

    def remove_data(self, hash: str) -> None:
        """Remove a data set with its captures; results keep their own numbers."""
        datasets.delete_dataset(self.store, hash)


def _plain_name(name: str) -> str:
    """The last part of a file name that a browser sent, without leading dots."""
    return Path(name.replace("\\", "/")).name.lstrip(".")


def _stamp(ref: str) -> str:
    """A reference that changes when the file, or what is in the folder, changes."""
    path = Path(ref).expanduser()
    if not ref or ref.startswith("demo:") or not path.exists():
        return ref
    inside = islice(path.rglob("*"), 1_000_000)
    files = [path] if path.is_file() else [p for p in inside if p.is_file()]
    facts = [p.stat() for p in files]
    size, newest = sum(f.st_size for f in facts), max((f.st_mtime_ns for f in facts), default=0)
    count = f"{len(files)}-" if path.is_dir() else ""
    return f"{path.resolve()}?{count}{size}-{newest}"
