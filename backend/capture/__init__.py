"""Captures: what is asked for, what is missing, running it, and checking it."""

from backend.capture.plan import Plan, make_plan
from backend.capture.request import CaptureRequest
from backend.capture.view import CaptureView

__all__ = ["CaptureRequest", "CaptureView", "Plan", "make_plan"]
