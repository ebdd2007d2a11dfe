"""Tasks: likelihoods against float64, accuracies against lm-eval's own runs of the same documents."""

from __future__ import annotations

import json
import logging
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.checkpoint import load_model, load_tokenizer
from evaluators.dense import DenseLogits
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.requests import SAMPLE_REQUESTS, Requests
from evaluators.statistic import Samples
from evaluators.stream import Stream
from evaluators.tasks import Benchmark, TaskSource, load_task
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import InputError
from spaces.option import Quantize

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = EXAMPLES / "reference-model"
OPTION = Quantize(bits_per_code=2, group_size=128, symmetric=False, solver="rtn")
LAYER = "model.layers.3.mlp.down_proj"
CANDIDATES = {"dense": Configuration.of({}), "quantized": Configuration.of({LAYER: OPTION})}
MAX_LENGTH = 96
NUM_DOCUMENTS = 40


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(MODEL)


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    """Which of four texts comes next: held-out books, and some contexts longer than the model reads here."""
    words = (EXAMPLES / "text" / "validation.txt").read_text("utf-8").split()
    rng = random.Random(0)
    found = []
    for number in range(NUM_DOCUMENTS):
        start = 400 * number
        length = 150 if number % 10 == 0 else rng.randint(3, 40)
        choices = [" ".join(words[start + length + 1000 * wrong :][: rng.randint(3, 8)]) for wrong in range(4)]
        order = rng.sample(range(4), 4)
        found.append(
            {
                "context": " ".join(words[start : start + length]),
                "choices": [choices[place] for place in order],
                "answer": order.index(0),
            }
        )
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, documents: list[dict[str, Any]]) -> Path:
    path = tmp_path_factory.mktemp("task") / "next.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    model = load_model(MODEL, dtype=torch.float32)
    anatomy = find_anatomy(model)
    bank = Bank(tmp_path_factory.mktemp("bank"), model="w" * 16, calibration="c", propagate="dense")
    tokens = torch.zeros(1, 16, dtype=torch.int64)
    build_bank(model, blocks=anatomy.blocks, layers={LAYER: (OPTION,)}, tokens=tokens, bank=bank, propagate=None)
    return LiveModel(model, anatomy, bank)


def evaluator_of(live: LiveModel, requests: Requests, root: Path) -> Evaluator:
    stream = Stream(torch.zeros(1, 16, dtype=torch.int64))
    dense = DenseLogits.create(
        root / "dense", Layout(kind="full", vocab_size=4096, num_kept=4096), num_sequences=1, length=16
    )
    return Evaluator(live, stream, dense, requests={requests.key: requests})


def samples_of(live: LiveModel, task: Benchmark, configuration: Configuration, root: Path) -> Samples:
    evaluator = evaluator_of(live, task.requests, root)
    return task.statistic(configuration).samples(evaluator, 0, task.requests.num_samples)


@pytest.mark.parametrize("name", CANDIDATES)
def test_likelihoods_are_those_of_each_request_alone(
    name: str, live: LiveModel, file: Path, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    task = load_task(TaskSource(source=str(file)), tokenizer, MAX_LENGTH)
    samples = samples_of(live, task, CANDIDATES[name], tmp_path)
    assert samples["log_likelihoods"].shape == (task.requests.num_samples, SAMPLE_REQUESTS)
    live.apply(CANDIDATES[name])
    requests = task.requests
    for number in range(0, len(requests), 7):
        whole, count = torch.from_numpy(requests.whole(number)), int(requests.continuations[number])
        with torch.inference_mode():
            logits = live.model(input_ids=whole[None, :-1]).logits[0].double()
        expected = torch.log_softmax(logits, -1)[torch.arange(len(whole) - 1), whole[1:]][-count:].sum()
        assert samples["log_likelihoods"].reshape(-1)[number] == pytest.approx(float(expected), abs=1e-4)
        is_greedy = bool((logits.argmax(-1)[-count:] == whole[-count:]).all())
        assert samples["are_greedy"].reshape(-1)[number] == is_greedy


def test_a_sample_does_not_depend_on_what_is_measured_with_it(
    live: LiveModel, file: Path, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    task = load_task(TaskSource(source=str(file)), tokenizer, MAX_LENGTH)
    together = samples_of(live, task, CANDIDATES["quantized"], tmp_path)
    evaluator = evaluator_of(live, task.requests, tmp_path / "again")
    statistic = task.statistic(CANDIDATES["quantized"])
    for number in reversed(range(task.requests.num_samples)):
        alone = statistic.samples(evaluator, number, number + 1)
        for field, values in alone.items():
            assert np.array_equal(values[0], together[field][number])


@pytest.fixture(scope="module")
def theirs(live: LiveModel, tokenizer: PreTrainedTokenizerBase) -> Any:
    """lm-eval's own way to run a transformers model, on the same live model."""
    huggingface = pytest.importorskip("lm_eval.models.huggingface")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return huggingface.HFLM(pretrained=live.model, tokenizer=tokenizer, max_length=MAX_LENGTH, batch_size=4)


def accuracies(theirs: Any, task: object) -> dict[str, float]:
    import lm_eval

    return lm_eval.simple_evaluate(model=theirs, tasks=[task], bootstrap_iters=0)["results"].popitem()[1]


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
@pytest.mark.parametrize("name", CANDIDATES)
def test_json_lines_score_as_lm_eval_scores_them(
    name: str,
    metric: Any,
    theirs: Any,
    live: LiveModel,
    file: Path,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
) -> None:
    from lm_eval.api.task import ConfigurableTask

    task = load_task(TaskSource(source=str(file), metric=metric), tokenizer, MAX_LENGTH)
    errors = task.errors(samples_of(live, task, CANDIDATES[name], tmp_path))
    assert errors.shape == (NUM_DOCUMENTS,)
    config = {
        "task": "next",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "context",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    live.apply(CANDIDATES[name])
    expected = accuracies(theirs, ConfigurableTask(config=config))
    assert 1 - errors.mean() == pytest.approx(expected[f"{metric},none"])
    assert 1 - errors.mean() > 0.3  # of four choices


def write_dataset(folder: Path, name: str, lines: list[dict[str, Any]]) -> None:
    """A dataset of the hub as a folder: datasets looks for one of its name first."""
    folder.mkdir(parents=True)
    splits = ("train", "validation", "test")
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {name}\n  data_files:\n{files}---\n")
    for split in splits:
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def datasets_here(tmp_path: Path, documents: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """What lm-eval's arc_easy and gsm8k read, as far as names and fields go."""
    lines = [
        {
            "question": document["context"][-200:],
            "choices": {"text": document["choices"], "label": ["A", "B", "C", "D"]},
            "answerKey": "ABCD"[document["answer"]],
        }
        for document in documents
    ]
    write_dataset(tmp_path / "allenai" / "ai2_arc", "ARC-Easy", lines)
    write_dataset(tmp_path / "openai" / "gsm8k", "main", [{"question": "1 + 1?", "answer": "#### 2"}])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")  # nobody finds these again


@pytest.mark.usefixtures("datasets_here")
@pytest.mark.parametrize("shots", [None, 2])
def test_a_task_of_lm_eval_scores_as_it_does_there(
    shots: int | None,
    theirs: Any,
    live: LiveModel,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import lm_eval

    source = TaskSource(source="arc_easy", metric="acc_norm", limit=24, shots=shots)
    task = load_task(source, tokenizer, MAX_LENGTH)
    assert task.num_documents == 24
    assert "24/24" not in capsys.readouterr().err  # a bar beside ours
    errors = task.errors(samples_of(live, task, CANDIDATES["quantized"], tmp_path))
    live.apply(CANDIDATES["quantized"])
    found = lm_eval.simple_evaluate(model=theirs, tasks=["arc_easy"], limit=24, num_fewshot=shots, bootstrap_iters=0)
    assert 1 - errors.mean() == pytest.approx(found["results"]["arc_easy"]["acc_norm,none"])


def test_a_choice_longer_than_the_model_reads_is_refused(file: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(InputError, match="must add 1 to 2 tokens to its context"):
        load_task(TaskSource(source=str(file)), tokenizer, max_length=2)
    longest = int(load_task(TaskSource(source=str(file)), tokenizer, MAX_LENGTH).requests.continuations.max())
    requests = load_task(TaskSource(source=str(file)), tokenizer, longest).requests
    assert requests.lengths.max() == longest + 1
    assert (requests.lengths > requests.continuations).all()  # something is left to go on from


def test_logits_that_are_no_numbers_are_no_likelihood(
    live: LiveModel, file: Path, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    task = load_task(TaskSource(source=str(file), limit=4), tokenizer, MAX_LENGTH)
    norm = live.model.get_submodule("model.norm").weight
    kept = norm.detach().clone()
    with torch.no_grad():
        norm.fill_(math.nan)
    try:
        samples = samples_of(live, task, CANDIDATES["dense"], tmp_path)
    finally:
        with torch.no_grad():
            norm.copy_(kept)
    count = len(task.requests)
    assert np.isneginf(samples["log_likelihoods"].reshape(-1)[:count]).all()
    assert not samples["are_greedy"].any()
    assert task.errors(samples).tolist() == [1.0] * 4


def test_a_broken_candidate_errs_on_every_document(file: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    task = load_task(TaskSource(source=str(file), limit=5), tokenizer, MAX_LENGTH)
    shape = (task.requests.num_samples, SAMPLE_REQUESTS)
    broken = {"log_likelihoods": np.full(shape, -np.inf), "are_greedy": np.zeros(shape, dtype=np.int64)}
    assert task.errors(broken).tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "context must be text, got None"),
        ('{"context": "a", "choices": ["b"], "answer": 0}', r"two texts or more, none empty, got \['b'\]"),
        ('{"context": "a", "choices": ["b", "c"], "answer": 2}', "the place of a choice, 0 to 1, got 2"),
        ('{"context": "a", "choices": ["b", "c"], "answer": true}', "got True"),
        ("", "holds no line"),
    ],
)
def test_lines_that_are_no_documents_are_refused(
    line: str, words: str, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(InputError, match=words):
        load_task(TaskSource(source=str(path)), tokenizer, MAX_LENGTH)


@pytest.mark.usefixtures("datasets_here")
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"source": "arc_esy"}, "has no task 'arc_esy'; did you mean arc_easy"),
        ({"source": "gsm8k"}, "of type generate_until; a search reads likelihoods only"),
        ({"source": "gone.jsonl"}, "the task gone.jsonl cannot be read"),
        ({"source": "a.jsonl", "shots": 2}, "shots are for tasks of lm-eval, got 2"),
        ({"source": "arc_easy", "limit": 0}, "limit must be at least 1"),
    ],
)
def test_tasks_that_cannot_be_measured_are_refused(
    source: dict[str, Any], words: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(InputError, match=words):
        load_task(TaskSource(**source), tokenizer, MAX_LENGTH)


def test_a_path_to_a_task_file_is_no_task(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("task: mine\ndataset_path: json\n")
    with pytest.raises(InputError, match="has no task"):
        load_task(TaskSource(source=str(path)), tokenizer, MAX_LENGTH)
