"""What work costs before it is begun: seconds, and a sentence."""

from backend import RunRequest
from ui.opening import guarded, workbench


def quote(request: RunRequest, tokens: float, work: float) -> tuple[float, str]:
    """Seconds that the work takes, about, and what it costs in words."""
    seconds, quote = _quote_of_model(request, tokens)
    if not work:
        return seconds, quote
    return seconds + work, f"{quote} Fitting takes about {_duration(work)}.".strip()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 100 else f"{max(1, round(seconds))} s"


def _quote_of_model(request: RunRequest, tokens: float) -> tuple[float, str]:
    """The same of what the model has to read."""
    if not request.model:
        return 0.0, ""
    found = workbench()
    if found.spec(request.analysis).captures:
        plan = guarded(found.plan_of, request)
        return (plan.seconds, plan.quote()) if plan is not None else (0.0, "")  # type: ignore[attr-defined]
    seconds = found.seconds_for(request.model, tokens)
    if not seconds:
        return 0.0, ""
    return seconds, f"{tokens:,.0f} tokens through the model: about {_duration(seconds)}."
