"""What an API process is told when it starts; it changes nothing of it while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

API_PATH = "/api/v1"
PAGES_PATH = "/ui"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
ANY_HOST = "*"


def find_pages() -> Path | None:
    """The dashboard's files, which every kind of install puts beside this package; None where they were left out."""
    pages = Path(__file__).parents[2] / "dashboards" / "static"
    return pages if pages.is_dir() else None


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Where the data is, what jobs may read, and who may ask."""

    store_url: str
    home: Path  # of the banks
    roots: tuple[Path, ...]  # models and text lie within these; relative paths start at the first
    allow_hub: bool = False  # models and data sets of the Hugging Face hub
    requires_token: bool = False  # also of those who ask from this machine
    max_body_bytes: int = 2**20
    base_path: str = ""  # in front of every path, where a proxy serves others beside: "/layerpress"
    allowed_hosts: tuple[str, ...] = ()  # names the service goes by, beside those of loopback; "*": any
    pages: Path | None = field(default_factory=find_pages)  # of the dashboard; None: there is none

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names in a Host header that are answered, without a port."""
        return (*LOOPBACK_HOSTS, *(host.lower() for host in self.allowed_hosts))
