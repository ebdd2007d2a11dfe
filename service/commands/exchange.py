"""``layerpress import``: configurations from other tools' files."""

from __future__ import annotations

from pathlib import Path

from exporters.evopress import read_evopress
from service.intake.jobfile import read_job
from service.text_files import write_text
from spaces.build import build_space
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.option import Banked, Option, Quantize
from spaces.skeleton import anatomy_of
from spaces.space import Space
from spaces.tables import check_name


def import_command(
    file: Path, out: Path | None, job: Path | None, *, group_size: str, symmetric: bool, solver: str, blocks: str
) -> None:
    """Read an EvoPress file; with a job, into the options of its space."""
    text = read_text(file)
    if job is not None:
        space = job_space(job)
        configuration = read_for_space(text, space)
        write_text(configuration.dump(space.names), out)
        return

    def make(_layer: str, bits: int) -> Option:
        group = None if group_size == "channel" else int(check_name(group_size, ("32", "64", "128"), "group size"))
        return Quantize(bits_per_code=bits, group_size=group, symmetric=symmetric, solver=solver)

    write_text(read_evopress(text, make, blocks).dump(), out)


def job_space(job: Path) -> Space:
    """The space of a job file."""
    spec = read_job(job, [])
    return build_space(anatomy_of(spec.model), spec.space.spec())


def read_for_space(text: str, space: Space) -> Configuration:
    """A configuration from JSON or EvoPress text, checked against a space.

    Raises:
        InputError: it does not read, or does not belong to the space.
    """
    if text.lstrip().startswith("{"):
        configuration = Configuration.parse(text)
    else:
        blocks = space.anatomy.blocks[0].rpartition(".")[0]
        configuration = read_evopress(text, lambda layer, bits: _of_bits(space, layer, bits), blocks)
    return space.configure(space.levels(configuration))


def _of_bits(space: Space, layer: str, bits: int) -> Option:
    """The one option of a layer with that bit-width."""
    check_name(layer, space.names, "layer")
    unit = next(unit for unit in space.units if space.names.index(layer) in unit.layers)
    found = [option for option in unit.options if isinstance(option, Banked) and option.bits_per_code == bits]
    if len(found) != 1:
        slugs = ", ".join(option.slug for option in unit.options)
        raise InputError(f"{layer}: level {bits} must name one option of the space, found {len(found)} among {slugs}")
    return found[0]


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: it is not there, or not text.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {str(path)!r}: {reason}") from error
