"""Full descriptions of listed models, asked for when a query makes them candidates."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Protocol

from cache.errors import SourceUnavailable
from catalog.model import Model
from catalog.policy import Refusal, is_unscanned

N_THREADS = 8


class Describer(Protocol):
    """A source that describes one listed model; asked by several threads at once."""

    @property
    def name(self) -> str:
        """As models carry it in `source`."""
        ...

    def describe(self, listed: Model) -> Model | Refusal:
        """All that is known of the model at its commit. Raises SourceUnavailable."""
        ...


class Descriptions(Protocol):
    """Where descriptions are kept by commit; asked by one thread only."""

    def described(self, source: str, id: str, revision: str) -> Model | None:
        """The description of a commit; None where there is none."""
        ...

    def describe(self, model: Model) -> None:
        """Keeps a description in place of the listing's row."""
        ...

    def rename(self, source: str, old: str, new: str) -> None:
        """From now on the old id leads to the new one."""
        ...

    def upsert(self, models: Iterable[Model]) -> int:
        """Keeps descriptions of what their source lists."""
        ...

    def bury(self, source: str, id: str) -> None:
        """Notes that the source has the model no more."""
        ...


def describe_all(
    models: Sequence[Model],
    source: Describer,
    store: Descriptions,
    *,
    n_threads: int = N_THREADS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Model | Refusal, ...]:
    """Each model with its files, labels and sizes, in the same order; a Refusal where that fails.

    Only models without a whole description of their commit are asked for, in parallel, and each
    answer is kept as it comes: a model that the source has no more is marked as gone. `progress`
    is called with the number of answers and of questions. Where the source can no longer be
    reached, the rest are refused as unreachable, unless a description lacks the security scan
    alone; SourceUnavailable is raised where no answer is had at all.
    """
    known = [_known(model, source.name, store) for model in models]
    found: list[Model | Refusal] = list(known)
    asked = [index for index, model in enumerate(known) if _is_open(model)]
    answers = _answers([models[index] for index in asked], source, n_threads)
    failures: list[SourceUnavailable] = []
    for n_done, (index, told) in enumerate(zip(asked, answers, strict=True), start=1):
        answer = _refused(told, models[index])
        if not lacks_scan(known[index]) or not _is_unreachable(answer):
            failures += [told] if isinstance(told, SourceUnavailable) else []
            found[index] = _kept(answer, models[index], source.name, store)
        if progress:
            progress(n_done, len(asked))
    if failures and len(failures) == len(models):
        raise SourceUnavailable(f"{_named(models)}; but {failures[0]}") from failures[0]
    return tuple(found)


def _known(model: Model, source: str, store: Descriptions) -> Model:
    """The kept description with the listing's popularity; the listed model without one."""
    if model.described or not model.revision:
        return model
    known = store.described(source, model.id, model.revision)
    if known is None:
        return model
    return replace(known, downloads=model.downloads, likes=model.likes)


def _is_open(model: Model) -> bool:
    """Whether there is something to ask: also what another token, or a later day, may open."""
    return not model.described or model.gated or lacks_scan(model)


def lacks_scan(model: Model) -> bool:
    """Whether a Hub may tell how its scan of a described model ended; a copy here cannot."""
    return is_unscanned(model) and not model.gated and not model.is_local


def _named(models: Sequence[Model]) -> str:
    more = f" and {len(models) - 1:,} more" if len(models) > 1 else ""
    return f"the files of {models[0].id}{more} are not known yet, and must be asked for"


def _refused(answer: Model | Refusal | SourceUnavailable, model: Model) -> Model | Refusal:
    if isinstance(answer, SourceUnavailable):
        return Refusal(model.id, "unreachable", str(answer))
    return answer


def _is_unreachable(answer: Model | Refusal) -> bool:
    return isinstance(answer, Refusal) and answer.state == "unreachable"


def _answers(
    models: Sequence[Model], source: Describer, n_threads: int
) -> Iterator[Model | Refusal | SourceUnavailable]:
    """In the models' order; after the first that cannot be reached nothing more is asked."""
    lost: list[SourceUnavailable] = []
    stopped = Event()

    def ask(model: Model) -> Model | Refusal | SourceUnavailable:
        if stopped.is_set():
            return lost[0]
        try:
            return source.describe(model)
        except SourceUnavailable as error:
            lost.append(error)
            stopped.set()
            return error

    with ThreadPoolExecutor(n_threads) as pool:
        try:
            yield from pool.map(ask, models)
        finally:
            pool.shutdown(cancel_futures=True)


def _kept(
    answer: Model | Refusal, listed: Model, source: str, store: Descriptions
) -> Model | Refusal:
    if isinstance(answer, Refusal):
        if answer.state == "not found":
            store.bury(source, listed.id)
        return answer
    if not answer.described:
        return answer
    if answer.id == listed.id:
        store.describe(answer)
    else:  # the old id was listed, so the new one is
        store.rename(source, listed.id, answer.id)
        store.upsert([answer])
    return answer
