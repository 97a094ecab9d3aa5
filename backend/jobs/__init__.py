"""Jobs: long work outside the page, with progress, cancelling and a record."""

from backend.jobs.executor import open_executor
from backend.jobs.runner import Job, JobContext, JobRunner
from backend.jobs.ticks import Ticker

__all__ = ["Job", "JobContext", "JobRunner", "Ticker", "open_executor"]
