"""The ledger of a labelled sample: declared before its first label is used, found again later."""

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from math import inf

from cache.errors import BadInput, StoreError
from cache.key import canonical_json, digest
from cache.ledgers import (
    NO_LABELS,
    Ledgers,
    Newcomer,
    StoredLedger,
    Units,
    group_of,
    kind_of,
    label_digests,
    repeat_of,
    row_key,
    text_of,
)
from catalog.model import Model
from recommender.evidence.conditions import is_exact
from recommender.evidence.ledger import (
    WITH_REFERENCE,
    Case,
    Coverage,
    Duplicates,
    Ledger,
    Line,
    Mode,
    Question,
    Reserves,
    menu_of,
)
from recommender.query import Query

SLIGHT_OVERLAP = 0.05
"""Texts that belong to another ledger are left out where they are at most this share of the texts
of the sample and of that ledger: two data sets may both hold "thank you". More of them is the same
sample."""

ATTEMPTS = 5
"""How often to look again when another process declares the same rows at the same time."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A search as it would be declared on labels that were never used.

    `menu` are the other exact conditions. `lines` are the distinct prediction functions with their
    weights, `published` the times at which those from a Hub were published (`published_at`).
    `claims` is False where only estimates are shown.
    """

    delta: float
    seed: int
    question: Question
    lines: tuple[Line, ...]
    scope: str
    menu: tuple[str, ...] = ()
    duplicates: Duplicates = "drop"
    group: str | None = None
    mode: Mode = "pool"
    published: Mapping[str, str] = field(default_factory=dict)
    claims: bool = True

    def ledger(self, units: Units) -> Ledger:
        """The ledger of units in a random order."""
        return Ledger(
            delta=self.delta,
            seed=self.seed,
            duplicates=self.duplicates,
            group=self.group,
            mode=self.mode,
            question=self.question,
            menu=menu_of(self.question.conditions, self.menu),
            lines=self.lines,
            scope=self.scope,
            order=order_digest(units),
            reserves=Reserves() if self.question.reference is None else WITH_REFERENCE,
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A sample's ledger, as far as a question needs it.

    `units` are the row keys of each unit in the fixed order, as the sample names them (the ledger
    may count the repeats of a text differently, see `matched`), `batch_ends` the number of units
    after each batch. `goals` are what the asked candidates must reach, by their line's key: the
    hardest over the question's conditions, None where one is not covered. `since` is how many
    leading units a candidate must not use. `n_missing` counts the ledger's rows that the sample
    lacks; `note` says in words what narrows the claim.
    """

    hash: str
    ledger: Ledger
    question: Question
    units: tuple[tuple[str, ...], ...]
    batch_ends: tuple[int, ...]
    coverage: Coverage
    goals: Mapping[str, float | None]
    since: Mapping[str, int]
    newcomers: Mapping[str, Newcomer]
    n_missing: int
    is_new: bool
    note: str

    @property
    def order(self) -> tuple[str, ...]:
        """All row keys, in the fixed order."""
        return tuple(key for unit in self.units for key in unit)


def open_ledger(
    declaration: Declaration, units: Units, store: Ledgers, *,
    labels: Mapping[str, str] = NO_LABELS, read_only: bool = False,
) -> Opened:  # fmt: skip
    """The ledger of these rows: declared here where they are new, else found and checked.

    `units` are the sample's distinct row keys, unit by unit, in a fresh random order that labels
    did not touch. `labels` (by row key) serve to find the repeats of a text again, and to tell
    when some labels were changed since. Nothing here uses a label: call
    `Ledgers.mark_used(opened.hash)` before the first one is compared with an answer. With
    `read_only` the answer is the same, and nothing stays written.

    Raises BadInput where the same labels would be used under other settings, where the rows belong
    to several ledgers, or where rows of the open mode would be asked another question.
    """
    if read_only:
        with store.rehearsal():
            return open_ledger(declaration, units, store, labels=labels)
    keys = [key for unit in units for key in unit]
    if len(set(keys)) != len(keys):
        raise ValueError("row keys must differ; number the repeats of a text")
    for _ in range(ATTEMPTS):
        used, unused, left_out = _overlaps(keys, store)
        kept, n_kept_out = _without(units, left_out)
        note = _slight_note(n_kept_out)
        if len(used) > 1:
            raise BadInput(
                f"these rows come from {len(used)} samples that were searched apart; ask about "
                "one of them, with new rows added to it if you like"
            )
        if used:
            return _reopen(declaration, next(iter(used)), unused, kept, store, labels, note)
        ledger = declaration.ledger(kept)
        if unused == [ledger.hash] or store.declare(
            ledger.hash, ledger.to_json(), kept, labels=labels, replacing=unused
        ):
            return _first(declaration, ledger, kept, note)
    raise StoreError("other searches keep declaring these rows; wait for them, and run again")


def order_digest(units: Units) -> str:
    """What a ledger's hash holds of its sample: the digest of its units in their order.

    The members of a unit have no order: they are sorted, as the store returns them.
    """
    return digest([list(unit) for unit in _sorted_members(units)])


def matched(
    row_keys: Sequence[str], labels: Mapping[str, str], stored: Mapping[str, str]
) -> dict[str, str]:
    """The name in a ledger of each row: which stored row it is, else the next free number.

    `stored` are the label digests of the ledger's rows. A sample numbers the repeats of a text by
    all its rows, so the numbers move when rows are added. Here each row takes a stored row of its
    text (and group) that had its label; of those left, each takes one that is left, whose label
    was changed; and only further rows are new. Repeats with one label are interchangeable.
    """
    digests = label_digests({key: labels[key] for key in row_keys if key in labels})
    given, known = _by_kind(row_keys), _by_kind(stored)
    found: dict[str, str] = {}
    for kind, keys in given.items():
        waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        for name in known.get(kind, ()):
            waiting[stored[name]].append(name)
        for key in keys:
            if names := waiting.get(digests.get(key, "")):
                found[key] = names.popleft()
        left = deque(sorted((name for names in waiting.values() for name in names), key=repeat_of))
        n_named = max((repeat_of(name) for name in known.get(kind, ())), default=0)
        for key in keys:
            if key in found:
                continue
            if left:
                found[key] = left.popleft()
            else:
                n_named += 1
                found[key] = row_key(kind, repeat=n_named)
    return found


def _by_kind(row_keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in sorted(row_keys, key=repeat_of):
        found.setdefault(kind_of(key), []).append(key)
    return found


def _sorted_members(units: Units) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(sorted(unit)) for unit in units)


def scope_of(query: Query, recipes: Sequence[str]) -> str:
    """What newcomers must match: where models are looked for, which, and in which recipes.

    Limits and licences are not in it: they are free.
    """
    return canonical_json(
        {
            "task": query.task.to_json(),
            "sources": list(query.sources),
            "backends": list(query.backends),
            "models": list(query.models),
            "label_map": dict(query.label_map),
            "max_candidates": query.max_candidates,
            "recipes": sorted(recipes),
        }
    )


def published_at(model: Model) -> str | None:
    """When a model of a Hub got its present form, in UTC; None for folders and unknown dates."""
    if model.source.startswith("folder:") or model.last_modified is None:
        return None
    try:
        moment = datetime.fromisoformat(model.last_modified)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# ---------------------------------------------------------------------- which ledger it is
def _overlaps(
    keys: Sequence[str], store: Ledgers
) -> tuple[dict[str, StoredLedger], list[str], list[str]]:
    """The used ledgers of these texts, the unused ones, and the texts of slight ones."""
    used, unused, slight = {}, [], []
    n_texts = len(set(map(text_of, keys)))
    for name, n in store.overlapping(keys).items():
        stored = store.read(name)
        if stored is None:
            continue
        if stored.used_at is None:
            unused.append(name)
        elif n <= SLIGHT_OVERLAP * min(n_texts, len(store.texts(name))):
            slight.append(name)
        else:
            used[name] = stored
    return used, unused, [text for name in slight for text in store.texts(name)]


def _without(units: Units, texts: Collection[str]) -> tuple[list[tuple[str, ...]], int]:
    """The units that have none of these texts, and how many rows the others had."""
    taken = set(texts)
    kept = [tuple(unit) for unit in units if not taken.intersection(map(text_of, unit))]
    return kept, sum(map(len, units)) - sum(map(len, kept))


def _slight_note(n_rows: int) -> str:
    return f"rows of another search, which are left out: {n_rows}" if n_rows else ""


def _first(declaration: Declaration, ledger: Ledger, units: Units, note: str) -> Opened:
    """The answer for labels that are used for the first time."""
    lines = [line.key for line in declaration.lines]
    question = declaration.question
    return Opened(
        hash=ledger.hash,
        ledger=ledger,
        question=question,
        units=_sorted_members(units),
        batch_ends=(len(units),) if units else (),
        coverage=Coverage(Case.FREE, "these labels are used for the first time"),
        goals=_goals(ledger, question, {}, lines),
        since={},
        newcomers={},
        n_missing=0,
        is_new=True,
        note=note,
    )


def _reopen(
    declaration: Declaration, name: str, unused: Sequence[str], units: Units, store: Ledgers,
    labels: Mapping[str, str], note: str,
) -> Opened:  # fmt: skip
    """The answer for labels of which some were used before."""
    stored = store.units(name)
    ledger, declared_at = _read(name, store, stored)
    if not declaration.claims:  # estimates may be looked at in either mode
        declaration = replace(declaration, mode=ledger.mode)
    _check_mode(declaration, ledger)
    ledger.check_settings(declaration)
    keys = [key for unit in units for key in unit]
    names = matched(keys, labels, store.labels(name))
    as_named = [[names[key] for key in unit] for unit in units]
    is_only_shown = ledger.mode == "open" and not declaration.claims
    if ledger.mode == "open" and declaration.claims:
        same = set(_sorted_members(as_named)) == set(_sorted_members(stored))
        ledger.check_open(declaration.question, declaration.lines, same_units=same)
    store.withdraw(unused)
    fresh, n_grown = _fresh(as_named, stored)
    if is_only_shown:
        n_grown += sum(map(len, fresh))
    elif fresh:
        named_labels = {names[key]: label for key, label in labels.items() if key in names}
        store.append_batch(name, fresh, labels=named_labels)
        stored = store.units(name)
        names = matched(keys, labels, store.labels(name))  # another process may have added some
    if not is_only_shown:
        _enter(declaration, ledger, declared_at, name, store)
    newcomers = store.newcomers(name)
    key_of = {name: key for key, name in names.items()}
    present = [tuple(key_of[member] for member in unit if member in key_of) for unit in stored]
    n_before = list(accumulate(map(bool, present), initial=0))  # units left among the first k
    ends = [end for end in store.batch_ends(name) if end <= len(stored)]  # none added meanwhile
    n_missing = sum(map(len, stored)) - sum(map(len, present))
    question, lines = declaration.question, [line.key for line in declaration.lines]
    entered = {key: newcomers[key] for key in lines if key in newcomers}
    return Opened(
        hash=name,
        ledger=ledger,
        question=question,
        units=tuple(unit for unit in present if unit),
        batch_ends=tuple(dict.fromkeys(n_before[end] for end in ends if n_before[end])),
        coverage=ledger.coverage(
            question,
            declaration.lines,
            newcomers={key for key, newcomer in entered.items() if not newcomer.since},
            later={key for key, newcomer in entered.items() if newcomer.since},
        ),
        goals=_goals(ledger, question, newcomers, lines),
        since={key: n_before[min(n.since, len(stored))] for key, n in entered.items() if n.since},
        newcomers=newcomers,
        n_missing=n_missing,
        is_new=False,
        note=_notes(note, n_missing, n_grown, _n_relabelled(name, store, names, labels)),
    )


def _check_mode(declaration: Declaration, ledger: Ledger) -> None:
    """BadInput where a question is in another mode than these labels, which nobody need have named.

    A metric without an exact test implies the open mode.
    """
    if declaration.mode == ledger.mode:
        return
    if ledger.mode == "open":
        ledger.check_open(declaration.question, declaration.lines, same_units=False)
    names = (re.split(r"[\[ ]", key)[0] for key in declaration.question.conditions)
    implying = next((name for name in names if not is_exact(name)), None)
    if implying is not None:
        raise BadInput(
            f"these rows were used before with --mode pool, and {implying} is asked in the open "
            "mode: a metric without an exact test implies it, as --mode open does; it needs rows "
            f"that were never used (to see {implying} without a claim, use: recommender measure "
            f"--metric {implying})"
        )


def _fresh(units: Units, stored: Units) -> tuple[list[list[str]], int]:
    """The units of which nothing was used, and how many new rows the others have.

    A group that was used before gets no further rows, and a row of which the stored one is missing
    is no new one: it was given to another group.
    """
    known = {key for unit in stored for key in unit}
    groups = {group_of(key) for key in known} - {""}
    moved = {text_of(key) for key in known.difference(key for unit in units for key in unit)}
    fresh, n_grown = [], 0
    for unit in units:
        new = [key for key in unit if key not in known]
        if len(new) == len(unit) and not any(
            group_of(key) in groups or text_of(key) in moved for key in unit
        ):
            fresh.append(list(unit))
        else:
            n_grown += len(new)
    return fresh, n_grown


def _n_relabelled(
    ledger: str, store: Ledgers, names: Mapping[str, str], labels: Mapping[str, str]
) -> int:
    now = {names[key]: label for key, label in labels.items() if key in names}
    return store.relabelled(ledger, now)


def _read(name: str, store: Ledgers, units: Units) -> tuple[Ledger, str]:
    """A stored ledger and when it was declared. StoreError where its text or order was altered."""
    found = store.read(name)
    if found is None:
        raise StoreError("another search declared these rows afresh; run this one again")
    is_whole = hashlib.sha256(found.content.encode("utf-8", "surrogatepass")).hexdigest() == name
    ledger = Ledger.from_json(found.content) if is_whole else None
    first_batch = units[: store.batch_ends(name)[0]]
    if ledger is None or ledger.order != order_digest(first_batch):
        raise StoreError(
            f"the ledger {name[:12]} of these rows is damaged: its hash does not fit; use rows "
            "that were never used, or restore the file from a backup"
        )
    return ledger, found.created_at


def _enter(
    declaration: Declaration, ledger: Ledger, declared_at: str, name: str, store: Ledgers
) -> None:
    """Let in what may come in: newcomers by date, the others on labels that are still unused."""
    declared = {line.key for line in ledger.lines}
    outside = [line for line in declaration.lines if line.key not in declared]
    published = sorted(
        (declaration.published[line.key], line.name, line.key)
        for line in outside
        if declaration.scope == ledger.scope
        and declaration.published.get(line.key, "") > declared_at
    )
    store.enter_published(name, [(key, moment) for moment, _, key in published])
    by_weight = sorted(outside, key=lambda line: (-line.weight, line.name))
    store.enter_later(name, [line.key for line in by_weight])


# ---------------------------------------------------------------------- what it means
def _goals(
    ledger: Ledger, question: Question, newcomers: Mapping[str, Newcomer], lines: Sequence[str]
) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for line in lines:
        goals = [
            _goal(ledger, question, newcomers.get(line), line, condition)
            for condition in question.conditions
        ]
        hardest = max((inf if goal is None else goal for goal in goals), default=inf)
        found[line] = None if hardest == inf else hardest
    return found


def _goal(
    ledger: Ledger, question: Question, newcomer: Newcomer | None, line: str, condition: str
) -> float | None:
    if newcomer is None:
        return ledger.goal(ledger.share(line, condition, question))
    later = newcomer.since > 0
    return ledger.goal(ledger.newcomer_share(newcomer.rank, condition, question, later=later))


def _notes(slight: str, n_missing: int, n_grown: int, n_relabelled: int) -> str:
    counted = (
        (
            n_missing,
            "rows of this ledger that are not among these: {}; the claim holds only if they were "
            "not left out because of results",
        ),
        (n_grown, "new rows of texts or groups that were used before, which are left out: {}"),
        (
            n_relabelled,
            "rows that carry another label than when they were first used: {}; the claim holds "
            "only if labels were not changed because of results",
        ),
    )
    notes = (slight, *(text.format(n) for n, text in counted if n))
    return "; ".join(note for note in notes if note)
