"""Exports as the API shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel

from service.api.candidate_views import example
from service.api.views import Change, View
from service.exporting import NAMES

EXAMPLE_EXPORT: dict[str, Any] = {
    "name": "configuration",
    "summary": "layer name to option, as JSON: the exact configuration",
    "kind": "recipe",
    "media_type": "application/json",
    "file_name": "configuration.json",
    "loads_in": ["layerpress evaluate"],
    "limits": [],
    "checked": "read back by Layerpress: the same configuration",
}


class ExportView(View):
    """A format that a candidate can be had in."""

    name: str
    summary: str
    kind: Literal["checkpoint", "recipe", "table"] = Field(
        description="a checkpoint is a folder with weights, which is written first; the others are one file, at once"
    )
    media_type: str
    file_name: str = Field(description="empty for a checkpoint")
    loads_in: list[str] = Field(description="the programs that load it")
    limits: list[str] = Field(description="what it cannot say, a sentence each")
    checked: str = Field(description="how that is known")

    model_config = ConfigDict(json_schema_extra=example(EXAMPLE_EXPORT))


class ExportsView(RootModel[list[ExportView]]):
    """Every format there is."""

    model_config = ConfigDict(frozen=True, json_schema_extra=example([EXAMPLE_EXPORT]))


class ExportRequest(Change):
    """A checkpoint to write."""

    format: str = Field(
        description="one that /exports lists, of kind checkpoint",
        examples=["compressed-tensors"],
        json_schema_extra={"enum": list(NAMES)},
    )


class ExportState(View):
    """How far a checkpoint of a candidate is."""

    format: str
    state: Literal["queued", "writing", "done", "failed"]
    phase: str = Field(description="what is being done, in words")
    done: int = Field(description="of total, in the phase")
    total: int = Field(description="0 where it is not known")
    error: str | None = Field(description="why it failed; asking for it again tries again")
    name: str = Field(description="of the folder")
    size_bytes: int | None = Field(description="of the archive, once it is done")
    archive: str | None = Field(description="where it is, once it is done")

    model_config = ConfigDict(
        json_schema_extra=example(
            {
                "format": "compressed-tensors",
                "state": "writing",
                "phase": "tensors",
                "done": 61,
                "total": 93,
                "error": None,
                "name": "demo-3f9c2a7d81e0-compressed-tensors",
                "size_bytes": None,
                "archive": None,
            }
        )
    )
