"""Which task is a table for? By what its format is made for, else by its columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.reading.columns import few_distinct
from evaluators.reading.languages import language_columns
from evaluators.reading.nested import inner_names
from evaluators.reading.roles import LOOKED_AT, fits, named_columns
from evaluators.reading.shapes import PAIRS, SHAPES, TEXT_CLASSIFICATION, Kind, Role, Shape
from evaluators.reading.table import Table, in_words
from evaluators.reading.values import INTEGER, is_missing

ORDER = (
    "question-answering", "token-classification", "object-detection",
    "automatic-speech-recognition", "audio-classification", "image-classification",
    "text-ranking", "feature-extraction", "sentence-similarity", "translation", "fill-mask",
    "summarization", "text-generation",
)  # fmt: skip
"""The tasks that are looked for by column names, the most telling names first."""

TELLING = {
    "text-ranking": (("query", "positive", "negative"), ("query", "pos", "neg"),
                     ("query", "document", "relevance"),
                     ("query", "passage", "relevance"), ("query", "documents", "relevances")),
    "feature-extraction": tuple((query, positive) for query in ("query", "anchor", "question")
                                for positive in ("positive", "positives", "pos",
                                                 "positive_passages")),
    "summarization": (("document", "summary"), ("article", "highlights"), ("dialogue", "summary"),
                      ("article", "summary"), ("text", "summary")),
    "text-generation": (("messages",), ("conversation",), ("prompt", "completion"),
                        ("prompt", "response"), ("instruction", "output"),
                        ("instruction", "response"), ("question", "choices"), ("problem", "answer"),
                        ("question", "answer")),
    "translation": (("source", "target"), ("src", "tgt")),
}  # fmt: skip
"""Names that together tell a task whose single names are usual in others too."""


CLASSES = ("label", "labels", "class", "category", "sentiment", "rating", "stars", "score")
"""A column of such a name whose values repeat makes texts rows to classify, not to write."""

EASILY_TOLD = (Kind.IMAGE, Kind.AUDIO, Kind.LABEL)
"""Kinds whose cells tell them: any of their usual names will do, of others only the first tier."""

WRITTEN = ("summarization", "text-generation")

TWINS = {
    "feature-extraction": ("sentence-similarity",
                           "as rows are two texts and a number; feature-extraction is for queries "
                           "and the documents that answer them"),
    "sentence-similarity": ("feature-extraction",
                            "as rows are queries and the documents that answer them; "
                            "sentence-similarity is for two texts and a number"),
}  # fmt: skip
"""The two tasks of one kind of models, whose names are easily mistaken: the other one, and why."""


@dataclass(frozen=True, slots=True)
class TaskGuess:
    """A task, and why it is taken to be meant."""

    task: str
    why: str


def guess_task(table: Table, rows: Sequence[Sequence[object]]) -> TaskGuess:
    """The task that a table's first rows look made for; text-classification where none does."""
    if table.task is not None:
        return TaskGuess(table.task, "which this format is made for")
    seen = _Head(table.columns, rows)
    for task in ORDER:
        found = seen.tells(task)
        if found:
            return TaskGuess(task, f"guessed by the columns {in_words(found)}")
    return TaskGuess(TEXT_CLASSIFICATION.task, "as nothing tells of another task")


def twin_of(
    table: Table, rows: Sequence[Sequence[object]], shape: Shape, roles: Sequence[str]
) -> TaskGuess | None:
    """The other task for embeddings, where the rows (or the named roles) are made for that one."""
    if shape.task not in TWINS:
        return None
    task, why = TWINS[shape.task]
    own, other = ({role.name for role in one.roles} for one in (shape, SHAPES[task]))
    if set(roles) - {"label"}:
        return TaskGuess(task, why) if set(roles) <= other and not set(roles) <= own else None
    if table.task is not None:
        return TaskGuess(task, why) if table.task == task else None
    seen = _Head(table.columns, rows)
    if seen.tells(shape.task):
        return None
    is_pair = task == "sentence-similarity" and seen.has_numbered_pair()
    return TaskGuess(task, why) if is_pair or seen.tells(task) else None


class _Head:
    """The columns and first rows of a table, asked about one task after the other."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._columns = columns
        self._rows = rows
        self._folded = [column.strip().casefold() for column in columns]

    def tells(self, task: str) -> list[str]:
        """The names of the columns that tell the task; none where they do not."""
        if task in TELLING and (found := self._telling(task)):
            return [] if task in WRITTEN and self._has_classes(found) else found
        if task == "translation":
            return self._languages()
        if task == "fill-mask":
            return self._masked()
        if task == "sentence-similarity":
            return self._similarity()
        return [] if task in TELLING else self._all_roles(task)

    def _telling(self, task: str) -> list[str]:
        for names in TELLING[task]:
            found = [self._starting(name, task) for name in names]
            if all(found):
                return [self._columns[at] for where in found for at in where]
        return []

    def _has_classes(self, but: Sequence[str]) -> bool:
        return any(
            name in CLASSES and few_distinct(self._cells(at))
            for at, name in enumerate(self._folded)
            if self._columns[at] not in but
        )

    def _starting(self, name: str, task: str) -> list[int]:
        """The column of a name, or numbered ones (`summary1`) where the task takes several."""
        if name in self._folded:
            return [self._folded.index(name)]
        several = SHAPES[task].truth.several and name in SHAPES[task].truth.names[0]
        numbered = Role(name, Kind.TEXT, ((name,),), several=several)
        return list(named_columns(numbered, (name,), self._columns, self._rows))

    def _all_roles(self, task: str) -> list[str]:
        """Every role by a usual name; the label of a class by values that repeat."""
        taken: list[int] = []
        for role in SHAPES[task].roles:
            tiers = role.names if role.kind in EASILY_TOLD else role.names[:1]
            names = [name for tier in tiers for name in tier]
            found = named_columns(role, names, self._columns, self._rows, taken)
            if not found and not role.optional:
                return []
            taken += found
        if not self._is_fit(task, taken):
            return []
        return [self._columns[at] for at in taken]

    def _is_fit(self, task: str, taken: Sequence[int]) -> bool:
        if task == "token-classification":  # texts with one label each are no tagged words
            lists = [self._cells(at) for at in taken]
            return all(not isinstance(cell, str) or cell[:1] == "[" for c in lists for cell in c)
        return True

    def _cells(self, at: int) -> list[object]:
        cells = (row[at] for row in self._rows[: 4 * LOOKED_AT] if at < len(row))
        return [cell for cell in cells if isinstance(cell, list) or not is_missing(cell)]

    def _languages(self) -> list[str]:
        found = language_columns(self._columns)
        if len(found) == 2 and all(fits(Kind.TEXT, self._cells(at)) for at in found):
            return [self._columns[at] for at in found]
        inner = inner_names(self._columns, self._rows)
        named = language_columns(inner)
        return [inner[at] for at in named] if len(named) == 2 else []

    def _masked(self) -> list[str]:
        for at, name in enumerate(self._columns):
            if fits(Kind.TEXT, cells := self._cells(at)) and fits(Kind.MASKED, cells):
                return [name]
        return []

    def _similarity(self) -> list[str]:
        """Two texts of a pair with a score: a column of that name, or fractions."""
        pair = next((p for p in PAIRS if set(p) <= set(self._folded)), None)
        if pair is None:
            return []
        truth = SHAPES["sentence-similarity"].truth
        where = [self._folded.index(name) for name in pair]
        for tier, names in enumerate(truth.names):
            for at in named_columns(truth, names, self._columns, self._rows, where):
                if tier == 0 or self._has_fractions(at):
                    return [self._columns[i] for i in (*where, at)]
        return []

    def has_numbered_pair(self) -> bool:
        """Whether there are two texts of a pair, and one column of numbers, whatever its name."""
        pair = next((p for p in PAIRS if set(p) <= set(self._folded)), ())
        where = {self._folded.index(name) for name in pair}
        free = [at for at in range(len(self._columns)) if at not in where]
        numbers = [at for at in free if fits(Kind.NUMBER, self._cells(at))]
        return bool(pair) and bool(numbers)

    def _has_fractions(self, at: int) -> bool:
        return any(not INTEGER.fullmatch(str(cell)) for cell in self._cells(at))
