"""What works beside an API process, for its routes: started when somebody first needs it, ended with the app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Lock
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from service.sidecar.exports import Exports
from service.sidecar.keeper import Sidecar

_making = Lock()


def sidecar(request: Request) -> Sidecar:
    """The app's second process, for a dependency."""
    state = request.app.state
    with _making:
        if not hasattr(state, "sidecar"):
            state.sidecar = Sidecar()
        found: Sidecar = state.sidecar
    return found


@asynccontextmanager
async def ends_sidecar(app: FastAPI) -> AsyncIterator[None]:
    """The lifespan of routes that use it."""
    yield
    if hasattr(app.state, "sidecar"):
        app.state.sidecar.close()
        del app.state.sidecar


def exports(request: Request) -> Exports:
    """The app's exports, for a dependency."""
    state = request.app.state
    with _making:
        if not hasattr(state, "exports"):
            state.exports = Exports(state.api.settings.home)
        found: Exports = state.exports
    return found


@asynccontextmanager
async def ends_exports(app: FastAPI) -> AsyncIterator[None]:
    """The lifespan of routes that use them."""
    yield
    if hasattr(app.state, "exports"):
        app.state.exports.close()
        del app.state.exports


ExportsOf = Annotated[Exports, Depends(exports)]
SidecarOf = Annotated[Sidecar, Depends(sidecar)]
