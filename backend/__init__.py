"""Penultimate: look inside neural networks, above all at the layer before the last word.

`open_workbench()` gives the object that the pages, the command line and notebooks share.
"""

__version__ = "0.1.0"

from backend.collapse.path import central_path
from backend.collapse.playground import playground
from backend.errors import UserError
from backend.preferences.placing import Board
from backend.requests import CaptureAsk, RunRequest
from backend.store.slices import Filter
from backend.whatif import WhatIf
from backend.workbench import Workbench, open_workbench

__all__ = [
    "Board",
    "CaptureAsk",
    "Filter",
    "RunRequest",
    "UserError",
    "WhatIf",
    "Workbench",
    "central_path",
    "open_workbench",
    "playground",
]
