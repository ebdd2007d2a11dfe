"""What the requests of one process share: its settings, its store and its broadcaster."""

from __future__ import annotations

from threading import Lock
from typing import Annotated, cast

from fastapi import Depends, Request

from service.api.broadcast import Broadcaster
from service.api.remembered import Remembered
from service.api.settings import API_PATH, ApiSettings
from service.bank_folders import find_banks
from spaces.errors import InputError, UnreachableError
from store.store import Store

BANKS_AGE_S = 20.0


class ApiState:
    """One for each process. The store is opened when somebody first needs it, and never upgraded."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self._store: Store | None = None
        self._opening = Lock()
        self.broadcaster = Broadcaster(self.store)
        self.banks = Remembered(lambda: find_banks(settings.home), max_age_s=BANKS_AGE_S)

    def store(self) -> Store:
        """The process's store.

        Raises:
            UnreachableError: the database does not answer, or its tables are another revision's.
        """
        with self._opening:
            if self._store is None:
                self._store = self._open()
            return self._store

    def _open(self) -> Store:
        try:
            return Store.open(self.settings.store_url, upgrade=False)
        except InputError as error:  # not the fault of whoever asks
            raise UnreachableError(str(error)) from error

    def close(self) -> None:
        """End the streams and close the store."""
        self.broadcaster.close()
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None


def state(request: Request) -> ApiState:
    """The process's state, for a dependency."""
    return cast(ApiState, request.app.state.api)


def settings(request: Request) -> ApiSettings:
    """The process's settings, for a dependency."""
    return state(request).settings


def store(request: Request) -> Store:
    """The process's store, for a dependency."""
    return state(request).store()


def base(request: Request) -> str:
    """The path that every route starts with, as the one who asks sees it."""
    return str(request.scope.get("root_path", "")).rstrip("/") + API_PATH


StateOf = Annotated[ApiState, Depends(state)]
SettingsOf = Annotated[ApiSettings, Depends(settings)]
StoreOf = Annotated[Store, Depends(store)]
BaseOf = Annotated[str, Depends(base)]
