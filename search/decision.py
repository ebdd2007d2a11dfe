"""The last step of a job: what was found against the plain choices on unseen text (promise 4), in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from search.report import Measured, Objective, losses, shown, write_verdict
from spaces.budget import show_size
from spaces.space import Space


def decide(
    found: Measured, plain: Sequence[Measured], objective: Objective, *, space: Space, max_loss: float | None = None
) -> tuple[Measured, str]:
    """The answer and the verdict; ``found`` and all ``plain`` are validated.

    The least loss on unseen text; with ``max_loss`` the smallest configuration whose loss there stays under it.
    """
    if max_loss is not None:
        return _smallest(found, plain, objective, space, max_loss)
    best = best_plain(plain, objective)
    is_better = best is None or unseen(found, objective) < unseen(best, objective)
    answer = found if best is None or is_better else best
    return answer, write_verdict(answer, best, found, objective)


def _smallest(
    found: Measured, plain: Sequence[Measured], objective: Objective, space: Space, max_loss: float
) -> tuple[Measured, str]:
    """Where nothing stays under the limit on unseen text, what was found is the answer, and the verdict says so."""

    def stored_bits(measured: Measured) -> int:
        return space.measure(space.levels(measured.configuration)).stored_bits

    limit = f"{shown(max_loss, objective):.5g}"
    word = "KL" if objective == "kl" else "perplexity"
    meeting = [each for each in plain if unseen(each, objective) <= max_loss]
    best = min(meeting, key=stored_bits, default=None)
    loss = f"{shown(unseen(found, objective), objective):.5g}"
    size = show_size(-(-stored_bits(found) // 8))
    if unseen(found, objective) > max_loss:
        failed = f"On unseen text the {word} of what was found is {loss}, above the limit of {limit}"
        if best is None:
            return found, f"{failed}, which no plain choice within the budget keeps either: ask for a lower max_loss."
        return best, f"{failed}, so the answer is the smallest plain choice that keeps it, {best.name}."
    if best is None:
        return found, f"The answer takes {size} at {word} {loss} on unseen text; no plain choice keeps {limit}."
    other = show_size(-(-stored_bits(best) // 8))
    if stored_bits(best) <= stored_bits(found):
        return best, f"Nothing smaller than {best.name} ({other}) was found with {word} at most {limit} on unseen text."
    less = 1 - stored_bits(found) / stored_bits(best)
    return found, (
        f"The answer takes {size} at {word} {loss} on unseen text (limit {limit}), {less:.1%} less than {best.name} "
        f"({other}), the smallest plain choice that keeps the limit."
    )


def best_plain(plain: Sequence[Measured], objective: Objective) -> Measured | None:
    """The plain choice of least loss on unseen text, if there is one."""
    return min(plain, key=lambda each: unseen(each, objective), default=None)


def unseen(measured: Measured, objective: Objective) -> float:
    """The mean loss on unseen text, in nats; infinite for what has not been validated."""
    return float("inf") if measured.validation is None else float(losses(measured.validation, objective).mean())
