"""The dashboard as an ASGI application: `streamlit run app.py` or `uvicorn app:app`.

The main script lies in `pages/`, not here: beside a folder named `pages`, Streamlit would serve
that folder's files by their own names, without navigation or login, until the first visit.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Close what the pages opened: no worker process and no database lock outlives the server.

    Nothing is opened here: the first page that asks for the workbench opens it, so that the
    server answers at once.
    """
    try:
        yield
    finally:
        if "backend.workbench" in sys.modules:
            from backend.workbench import shutdown

            await run_in_threadpool(shutdown)


async def healthz(_request: Request) -> PlainTextResponse:
    """Say that the server answers; opens neither the store nor a worker."""
    return PlainTextResponse("ok")


app = st.App(
    Path(__file__).with_name("pages") / "main.py",
    lifespan=lifespan,
    routes=[Route("/healthz", healthz)],
)
