"""Jobs: long work outside the page, with progress, cancelling and a record."""

from backend.jobs.executor import open_executor
from backend.jobs.runner import ACTIVE, Job, JobContext, JobRunner
from backend.jobs.ticks import Ticker

__all__ = ["ACTIVE", "Job", "JobContext", "JobRunner", "Ticker", "open_executor"]
