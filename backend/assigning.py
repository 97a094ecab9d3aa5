"""What-ifs taken away: an order's assignment, its file for torchao, and the rounded model."""

import re
from pathlib import Path

from backend import work
from backend.analyses.quantization_tables import assigned
from backend.analyses.result import Result
from backend.jobs import Job, JobContext
from backend.models.sources import ModelSource
from backend.remembered import Remembered
from backend.whatif import WhatIf


class Assigning(Remembered):
    """Bits per layer as other programs read them."""

    def assignment(self, result: Result, order: str, low_layers: int) -> WhatIf:
        """The what-if in which an order's least important layers are low (or taken out).

        Parameters
        ----------
        result : of the analysis `quantization`; `order` is one of its curve's.
        """
        return assigned(result, order, low_layers)

    def fqn_config(self, model: str, whatif: WhatIf | str) -> dict:
        """The bits of every linear module as torchao's FqnToConfig reads them from JSON."""
        whatif = WhatIf.parse(str(whatif))
        whatif.assignment()
        job = self.runner.start(
            "names", f"Modules of {model}", {"ref": model, "whatif": str(whatif)},
            lambda job: job.call(work.fqn_config, self.settings, self._source(job, model), whatif),
        )  # fmt: skip
        return self.runner.wait(job)

    def submit_export(self, model: str, whatif: WhatIf | str, target: str = "") -> Job:
        """Write the rounded model as a folder that opens as a model; the job gives its path.

        Without a target it lies below the data folder, under the model's and the what-if's names.
        """
        whatif = WhatIf.parse(str(whatif))
        whatif.assignment()
        name = re.sub(r"[^\w.=,-]+", "-", f"{model}-{whatif}").strip("-")[:120]
        folder = Path(target).expanduser() if target else self.settings.home / "exports" / name

        def write(job: JobContext) -> Path:
            if not target and folder.exists():
                return folder  # the name says what it holds
            job.report(0, 0, f"writing {folder.name}")
            return job.call(
                work.export_model, self.settings, self._source(job, model), whatif, folder
            )

        request = {"ref": model, "whatif": str(whatif), "target": str(folder)}
        return self.runner.start("export", f"Export {model} with {whatif}", request, write)

    def _source(self, job: JobContext, model: str) -> ModelSource:
        return self.source(self._resolve_model(job, model))
