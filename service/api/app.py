"""Puts the API together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from service.api.document import document
from service.api.limits import Guard, StrictBodies
from service.api.pages import serve_pages
from service.api.problems import handle_errors
from service.api.routes import artifacts, candidates, cluster, events, exports, jobs, meta, metrics, selection, tokens
from service.api.settings import API_PATH, ApiSettings
from service.api.state import ApiState

ROUTES = (meta, jobs, events, tokens, candidates, exports, selection, artifacts, cluster, metrics)
SMALLEST_ZIPPED, ZIP_LEVEL = 1000, 5  # bytes; level 9 takes three times as long for a hundredth less


def make_app(settings: ApiSettings) -> FastAPI:
    """The API of a service with these settings. Nothing is opened before somebody asks."""
    state = ApiState(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = FastAPI(
        title="Layerpress",
        version="1",
        openapi_url=f"{API_PATH}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.api = state
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    handle_errors(app)
    app.add_middleware(StrictBodies, max_bytes=settings.max_body_bytes)
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST_ZIPPED, compresslevel=ZIP_LEVEL)  # no streams
    app.add_middleware(Guard, settings=settings)  # the last one added is asked first
    for module in ROUTES:
        app.include_router(module.router, prefix=API_PATH)
    serve_pages(app, settings.pages)
    return app
