"""The job file: what a person writes, read strictly, with errors that name the key, the value and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence, Set
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from evaluators.tasks import TaskMetric
from search.sampling.objectives import check_tasks, objectives_within
from spaces.budget import parse_size
from spaces.budgets import varied_limit
from spaces.errors import InputError
from spaces.ggml import GgmlSpec
from spaces.option import DROP, GROUP_SIZES, KEEP, OPTION_KINDS, Option, parse_option
from spaces.spec import DropSpec, Indivisible, QuantizeSpec, Request, SpaceSpec
from spaces.tables import check_name
from spaces.targets import check_spec

Bits = Literal[2, 3, 4, 5, 6, 7, 8]
TargetName = Literal["any", "vllm", "transformers", "llama.cpp", "mlx"]  # spaces.targets.TARGETS
QUANTIZE_KEYS = frozenset({"bits", "group_size", "symmetric", "solver"})  # of kind: quantize alone
LEAST_SHARE = 0.001  # of a core or a GPU: Ray counts in ten-thousandths


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _listed(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else [value]


def _group_size(value: object) -> object:
    if value != "channel" and (isinstance(value, bool) or value not in GROUP_SIZES):
        raise ValueError(f"must be {', '.join(map(str, GROUP_SIZES))} or channel")
    return value


def _strategy(value: object) -> object:
    if not isinstance(value, str) and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise ValueError("must be a name or a mapping such as {name: evolution, preset: quick}")
    return value


def _size(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a size such as 4GiB or a number of bytes")
    try:
        parse_size(str(value))
    except InputError as error:
        raise ValueError(str(error)) from error
    return value


def _gpus(value: float) -> float:
    if value > 1 and value != int(value):
        raise ValueError("must be a share of one GPU, such as 0.5, or whole GPUs")
    if 0 < value < LEAST_SHARE:
        raise ValueError(f"must be 0, or at least {LEAST_SHARE}")
    return value


_LISTED = BeforeValidator(_listed)
GroupSize = Annotated[int | Literal["channel"], BeforeValidator(_group_size)]
Size = Annotated[str | int, BeforeValidator(_size)]
StrategyModel = Annotated[dict[str, Any] | str, BeforeValidator(_strategy)]


class TextModel(_Strict):
    """Where text comes from and how much of it is read."""

    source: str = Field(description="a text file, a folder, JSON lines, or a Hugging Face dataset id")
    tokens: int = Field(65536, gt=0, description="tokens in all; the most an evaluation can read")
    sequence_length: int | None = Field(None, gt=1, description="tokens of one sequence (512)")
    field: str = Field("text", description="the field of JSON lines or of a dataset")
    split: str = Field("train", description="the split of a dataset")
    name: str | None = Field(None, description="the configuration name of a dataset")


class TaskModel(_Strict):
    """A task on which the answer and the plain choices are measured, and what a sampler may minimise the error of."""

    name: str = Field("", max_length=64, description="what objectives call it, behind task: (the source's own name)")
    source: str = Field(description="the name of a task of lm-eval, or JSON lines of context, choices and answer")
    metric: TaskMetric = Field("acc", description="its error is 1 - this, the mean over documents")
    limit: int | None = Field(None, gt=0, description="documents, from the first on (all)")
    shots: int | None = Field(None, ge=0, description="solved examples before each question (as the task has it)")

    @property
    def called(self) -> str:
        return self.name or PurePath(self.source).stem


class OptionModel(_Strict):
    """One line of ``space.options``: lists are combined with each other, and one value is a list of one."""

    kind: str
    bits: Annotated[list[Bits], _LISTED] = []
    group_size: Annotated[list[GroupSize], _LISTED] = [128]
    symmetric: Annotated[list[bool], _LISTED] = [False]
    solver: str = "gptq"
    indivisible: Indivisible | Literal["fallback"] = "error"
    types: Annotated[list[str], _LISTED] = []
    parts: Annotated[list[str], _LISTED] = ["attention", "mlp"]
    layers: Annotated[list[str], _LISTED] = ["*"]

    def spec(self, where: str) -> Request:
        """The request as spaces reads it."""
        check_name(self.kind, [kind for kind in OPTION_KINDS if kind != "keep"], f"option kind in {where}")
        if self.kind == "drop":
            self.refuse({*QUANTIZE_KEYS, "types", "indivisible"}, where)
            return DropSpec(parts=tuple(self.parts), layers=tuple(self.layers))  # type: ignore[arg-type]
        self.refuse({"parts"}, where)
        return self._ggml(where) if self.kind == "ggml" else self._quantize(where)

    def _ggml(self, where: str) -> GgmlSpec:
        self.refuse(QUANTIZE_KEYS, where)
        if not self.types:
            raise InputError(f"{where}: ggml needs types, say types: [q2_k, q3_k, q4_k, q5_k, q6_k]")
        try:
            return GgmlSpec(
                types=tuple(self.types),
                layers=tuple(self.layers),
                indivisible=self.indivisible,  # type: ignore[arg-type]
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def _quantize(self, where: str) -> QuantizeSpec:
        self.refuse({"types"}, where)
        if self.indivisible == "fallback":
            raise InputError(f"{where}: indivisible must be error, channel or keep here, got 'fallback'")
        if not self.bits:
            raise InputError(f"{where}: quantize needs bits, say bits: [2, 3, 4, 5, 6, 8]")
        request = QuantizeSpec(
            bits=tuple(self.bits),
            group_sizes=tuple(None if size == "channel" else size for size in self.group_size),
            symmetric=tuple(self.symmetric),
            solver=self.solver,
            layers=tuple(self.layers),
            indivisible=self.indivisible,
        )
        request.options()  # refuses solvers that do not exist
        return request

    def refuse(self, keys: Set[str], where: str) -> None:
        """Refuse ``keys`` that were given and mean nothing here; their default values say nothing and pass."""
        wrong = [key for key in sorted(keys) if getattr(self, key) != type(self).model_fields[key].default]
        if wrong:
            raise InputError(
                f"{where}: {wrong[0]} means nothing for kind: {self.kind} here, "
                f"got {getattr(self, wrong[0])!r}; leave it out"
            )


def _slug(value: str) -> str:
    try:
        return parse_option(value).slug
    except InputError as error:
        raise ValueError(str(error)) from error


# an option as its slug or as a mapping; the tags only tell pydantic which, and TAGS keeps them out of messages
TAGS = ("<slug>", "<mapping>")
PinModel = Annotated[
    Annotated[str, AfterValidator(_slug), Tag(TAGS[0])] | Annotated[OptionModel, Tag(TAGS[1])],
    Discriminator(lambda value: TAGS[isinstance(value, Mapping | OptionModel)]),
]


class SpaceModel(_Strict):
    """The layers and the options open to them."""

    target: TargetName = Field("any", description="the runtime that has to load what is found")
    options: list[OptionModel] = Field(min_length=1)
    include: list[str] = []
    exclude: list[str] = []
    pin: dict[str, PinModel] = {}
    ties: str | None = Field(
        None, description="layers that get one option together; left out: those that the target needs"
    )

    def spec(self) -> SpaceSpec:
        """The request as spaces reads it.

        Raises:
            InputError: options or pins that there are not, or that the target cannot load.
        """
        spec = SpaceSpec(
            options=tuple(option.spec(f"space.options.{number}") for number, option in enumerate(self.options)),
            include=tuple(self.include),
            exclude=tuple(self.exclude),
            pin={glob: _pinned(glob, option) for glob, option in self.pin.items()},
            ties=self.ties,
            target=self.target,
        )
        check_spec(spec)
        return spec


class BankModel(_Strict):
    """How compressed weights are made."""

    propagate: Literal["dense", "quantized"] = Field(
        "dense", description="what earlier blocks are while a Hessian is taken"
    )
    propagate_bits: Bits = Field(3, description="their bit-width when quantized (EvoPress: 3)")


class EvaluationModel(_Strict):
    """How candidates are measured."""

    dtype: Literal["float32", "bfloat16", "float16"] = Field("float32", description="of the forward pass")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dense_logits_limit: Size = Field("4GiB", description="kept dense logits of one text; beyond it, top-k")


class ResourcesModel(_Strict):
    """What each worker takes of the cluster; fractions share a core or a GPU."""

    cpus: float | None = Field(
        None, ge=LEAST_SHARE, allow_inf_nan=False, description="cores, and so many threads of torch (1)"
    )
    gpus: Annotated[float, AfterValidator(_gpus)] | None = Field(
        None, ge=0, allow_inf_nan=False, description="GPUs (1 where evaluation.device is cuda)"
    )


class JobSpec(_Strict):
    """One search job."""

    model: str = Field(description="a local folder or a hub id")
    name: str | None = Field(None, description="what people call the job")
    calibration: TextModel
    validation: TextModel
    space: SpaceModel
    budget: dict[str, Any] = Field(
        min_length=1, description="limits by name, each a number or a size; one may be several"
    )
    constraints: list[dict[str, Any]] = Field([], description="rules beside the budget: see docs/jobs.md")
    max_loss: float | None = Field(
        None,
        gt=0,
        description="find the smallest configuration whose KL (or perplexity) is at most this",
    )
    objective: Literal["kl", "perplexity"] = "kl"
    tasks: list[TaskModel] = Field([], description="multiple-choice tasks to measure: see docs/jobs.md")
    strategy: StrategyModel = "trust-region"
    bank: BankModel = BankModel()
    evaluation: EvaluationModel = EvaluationModel()
    front_points: int = Field(
        0, ge=0, le=64, description="further budgets solved and measured, for a front around the answer"
    )
    seed: int = Field(0, ge=0)
    workers: int = Field(1, ge=1, description="Ray actors, each holding the model")
    resources: ResourcesModel = ResourcesModel()

    @property
    def sequence_length(self) -> int:
        return self.calibration.sequence_length or 512

    @property
    def validation_length(self) -> int:
        return self.validation.sequence_length or self.sequence_length

    @property
    def front_limit(self) -> str | None:
        """The limit of the budget that has several values, if one has: then the job asks for a whole front."""
        return varied_limit(self.budget)


def read_spec(raw: object, where: str = "the job") -> JobSpec:
    """Check what was read from YAML or JSON.

    Raises:
        InputError: names the key with its path, the value received and the nearest key there is.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"{where} must be a mapping of keys such as model, calibration and budget, got {raw!r}")
    try:
        spec = JobSpec.model_validate(raw)
    except ValidationError as error:
        lines = [sentence for _, sentence in explain(error)]
        raise InputError(f"{where}: " + "; ".join(dict.fromkeys(lines))) from error
    spec.space.spec()  # refuses options and pins that do not fit together
    _check_front(spec, where)
    _check_tasks(spec, where)
    return spec


def explain(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Each thing that is wrong with a job: the keys and places that lead to it, and a sentence about it."""
    return [(_steps(dict(problem)), _explain(dict(problem), JobSpec)) for problem in error.errors()]


def _steps(problem: dict[str, Any]) -> tuple[int | str, ...]:
    return tuple(step for step in problem["loc"] if step not in TAGS)


def _check_front(spec: JobSpec, where: str) -> None:
    """Refuse what means nothing beside several budgets."""
    if spec.front_limit is None:
        return
    if spec.max_loss is not None:
        raise InputError(
            f"{where}: max_loss {spec.max_loss:g} asks for one size and budget.{spec.front_limit} for an answer at "
            f"each of several; leave out max_loss, or give the budget a single value"
        )
    if spec.front_points:
        raise InputError(
            f"{where}: front_points {spec.front_points} adds points around one answer, and budget.{spec.front_limit} "
            f"has several values, which are a front already; leave front_points out (front_points: 0)"
        )


def _check_tasks(spec: JobSpec, where: str) -> None:
    """Refuse two tasks of one name, and objectives that are errors on tasks that there are not."""
    names = [task.called for task in spec.tasks]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{where}: two tasks are called {name!r}; give one of them another name")
    try:
        check_tasks(list(objectives_within(spec.strategy)), names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _explain(problem: dict[str, Any], model: type[BaseModel]) -> str:
    steps = _steps(problem)
    path = ".".join(map(str, steps))
    if problem["type"] == "extra_forbidden":
        last = str(steps[-1])
        known = _keys_at(model, steps[:-1])
        near = difflib.get_close_matches(last, known, n=1)
        return f"unknown key {path}" + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}")
    if problem["type"] == "missing":
        return f"{path} is missing"
    return f"{path}: {problem['msg'].removeprefix('Value error, ')}, got {problem['input']!r}"


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys that the model has at a path of keys, list indices and globs."""
    current = model
    for step in path:
        if str(step) in current.model_fields:
            current = _model_in(current.model_fields[str(step)].annotation) or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, getattr(annotation, "__args__", ())) if m is not None), None)


def _pinned(glob: str, option: str | OptionModel) -> Option:
    where = f"space.pin.{glob}"
    if isinstance(option, str):
        return parse_option(option)
    option.refuse({"layers", "indivisible", "parts"}, where)
    if option.kind == "keep":
        option.refuse({*QUANTIZE_KEYS, "types"}, where)
        return KEEP
    request = option.spec(where)
    if isinstance(request, DropSpec):
        return DROP
    choices = request.options()
    if len(choices) != 1:
        raise InputError(f"{where} must name one option, got {len(choices)}; give one value of bits, group_size, ...")
    return choices[0]
