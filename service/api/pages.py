"""The dashboard's files and the API's own page, beside the API: public, and with what others wrote under vendor/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from service.api.settings import API_PATH, PAGES_PATH
from service.api.static_files import FOR_EVER, StaticFolder

OWN = Path(__file__).parents[1] / "static"
ENTRY = "index.html"


def serve_pages(app: FastAPI, pages: Path | None) -> None:
    """Add the routes of the pages; without a folder of them, those of the API's own page alone."""
    _add_vendor(app)
    _add_document(app)
    if pages is not None and pages.is_dir():
        _add_dashboard(app, StaticFolder(pages))


def _add_vendor(app: FastAPI) -> None:
    folder = StaticFolder(OWN / "vendor", FOR_EVER)

    @app.get(f"{PAGES_PATH}/vendor/{{path:path}}", include_in_schema=False)
    def vendor(path: str, request: Request) -> Any:
        """Libraries, each in a folder with its version."""
        return _found(folder, path, request)


def _add_document(app: FastAPI) -> None:
    folder = StaticFolder(OWN / "api")

    @app.get(f"{API_PATH}/docs", include_in_schema=False)
    def document_page(request: Request) -> Any:
        """The OpenAPI document for people."""
        return _found(folder, ENTRY, request)

    @app.get(f"{API_PATH}/docs/{{name}}", include_in_schema=False)
    def document_file(name: str, request: Request) -> Any:
        """What that page is made of."""
        return _found(folder, name, request)


def _add_dashboard(app: FastAPI, folder: StaticFolder) -> None:
    @app.get("/", include_in_schema=False)
    @app.get(PAGES_PATH, include_in_schema=False)
    def entrance(request: Request) -> Any:
        """To where the pages' relative addresses are right."""
        return RedirectResponse(f"{request.scope.get('root_path', '')}{PAGES_PATH}/")

    @app.get(f"{PAGES_PATH}/{{path:path}}", include_in_schema=False)
    def page(path: str, request: Request) -> Any:
        """A file of the dashboard; which view is shown stands behind the #, which no server sees."""
        return _found(folder, path or ENTRY, request)


def _found(folder: StaticFolder, path: str, request: Request) -> Response:
    answer = folder.answer(path, request)
    if answer is None:
        raise HTTPException(404)
    return answer
