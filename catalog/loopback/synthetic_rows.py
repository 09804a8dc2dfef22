"""Rows of a listing of synthetic models, written as JSON text column by column.

The text is put together from pieces that were written once: a listing's page costs a few
microseconds a row, so that a benchmark measures the crawler and not this Hub.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from catalog.loopback.synthetic_models import (
    Integers,
    Population,
    Stem,
    joined,
    texts_of,
    times_text,
    to_json,
    uniform,
)
from catalog.loopback.synthetic_tables import GATED, LANGUAGES, LICENSES

METRIC_SALT = 500
BASIC_FIELDS = (
    "author", "createdAt", "downloads", "likes", "library_name", "pipeline_tag", "private", "tags",
)  # fmt: skip
"""What a listing without `expand` tells."""


class StemTexts:
    """The pieces of JSON that each stem settles."""

    def __init__(self, stems: Iterable[Stem]) -> None:
        self._stems = tuple(stems)

    @cached_property
    def tags(self) -> list[str]:
        """The fixed tags, to be followed by others and the bracket."""
        return [f',"tags":{to_json(stem.tags)[:-1]}' for stem in self._stems]

    @cached_property
    def tasks(self) -> list[str]:
        """The task's field, empty where there is none."""
        found = [stem.kind.task for stem in self._stems]
        return [f',"pipeline_tag":"{task}"' if task else "" for task in found]

    @cached_property
    def libraries(self) -> list[str]:
        """The library's field."""
        return [f',"library_name":"{stem.library}"' for stem in self._stems]

    @cached_property
    def configs(self) -> list[str]:
        """The excerpt of config.json."""
        return [f',"config":{to_json(stem.config)}' for stem in self._stems]

    @cached_property
    def safetensors(self) -> list[str]:
        """Parameters by dtype, where there are safetensors files."""
        return [_safetensors(stem) for stem in self._stems]

    @cached_property
    def cards(self) -> list[str]:
        """The fixed front of the card's data, to be followed by others and the bracket."""
        return [f',"cardData":{{{to_json(_card(stem))[1:-1]}' for stem in self._stems]

    @cached_property
    def results(self) -> list[tuple[str, str] | None]:
        """The card's published result before and after its value."""
        return [_result(stem) for stem in self._stems]


class Rows:
    """The rows of some models, one column of JSON text a field; each begins with a comma."""

    def __init__(self, population: Population, texts: StemTexts, numbers: Integers) -> None:
        self._population = population
        self._texts = texts
        self.numbers = numbers

    def json(self, fields: Iterable[str]) -> list[str]:
        """Each row as a JSON object with its id and these fields; unknown ones are left out."""
        columns = [COLUMNS[name](self) for name in dict.fromkeys(fields) if name in COLUMNS]
        ids = [f'{{"id":"{id}"' for id in self.ids]
        return joined([ids, *columns, ["}"] * len(ids)])

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the models."""
        return self._population.ids(self.numbers)

    @cached_property
    def stems(self) -> list[int]:
        """Numbers of the stems."""
        found: list[int] = (self.numbers % self._population.n_stems).tolist()
        return found

    def author(self) -> list[str]:
        """Who owns it."""
        return [f',"author":"{id.partition("/")[0]}"' for id in self.ids]

    def sha(self) -> list[str]:
        """The commit."""
        return [f',"sha":"{sha}"' for sha in self._population.commits(self.numbers)]

    def created(self) -> list[str]:
        """When it was created."""
        times = times_text(self._population.created_ms(self.numbers))
        return [f',"createdAt":"{time}"' for time in times]

    def modified(self) -> list[str]:
        """When it last changed."""
        times = times_text(self._population.modified_ms(self.numbers))
        return [f',"lastModified":"{time}"' for time in times]

    def downloads(self) -> list[str]:
        """Downloads in the last month."""
        return [f',"downloads":{n}' for n in self._population.downloads(self.numbers).tolist()]

    def likes(self) -> list[str]:
        """Likes of all time."""
        return [f',"likes":{n}' for n in self._population.likes(self.numbers).tolist()]

    def gated(self) -> list[str]:
        """Whether, and how, access must be asked for."""
        pieces = texts_of(GATED, ',"gated":%s')
        return [pieces[place] for place in self._population.gates(self.numbers).tolist()]

    def fixed(self, piece: str) -> list[str]:
        """The same field for all."""
        return [piece] * len(self.numbers)

    def of_stems(self, pieces: list[str]) -> list[str]:
        """A field that the stem settles."""
        return [pieces[stem] for stem in self.stems]

    def tags(self) -> list[str]:
        """All tags: format, task, data sets, language, licence, base."""
        bases = [
            f',"base_model:{base}","base_model:finetune:{base}"' if base else ""
            for base in self._bases
        ]
        languages = self._of_language(',"%s"')
        licenses = self._of_license(',"license:%s"')
        return joined(
            [self.of_stems(self._texts.tags), languages, licenses, bases, self.fixed("]")]
        )

    def card(self) -> list[str]:
        """The card's front matter, for some with a published result."""
        languages = self._of_language(',"language":["%s"]')
        licenses = self._of_license(',"license":"%s"')
        bases = [f',"base_model":"{base}"' if base else "" for base in self._bases]
        front = self.of_stems(self._texts.cards)
        results = self.results(',"model-index":')
        return joined([front, languages, licenses, bases, results, self.fixed("}")])

    def results(self, name: str = ',"model-index":') -> list[str]:
        """What the author published, under this name."""
        values = (0.5 + uniform(self.numbers, METRIC_SALT) / 2).round(4).tolist()
        found = [self._texts.results[stem] for stem in self.stems]
        return [
            f"{name}{ends[0]}{value}{ends[1]}" if ends else ""
            for ends, value in zip(found, values, strict=True)
        ]

    @property
    def texts(self) -> StemTexts:
        """What the stems settle."""
        return self._texts

    @cached_property
    def _bases(self) -> list[str]:
        numbers = self._population.bases(self.numbers)
        ids = self._population.ids(np.maximum(numbers, 0))
        return [id if number >= 0 else "" for number, id in zip(numbers.tolist(), ids, strict=True)]

    def _of_language(self, pattern: str) -> list[str]:
        pieces = texts_of(LANGUAGES, pattern)
        return [pieces[place] for place in self._population.languages(self.numbers).tolist()]

    def _of_license(self, pattern: str) -> list[str]:
        pieces = texts_of(LICENSES, pattern)
        return [pieces[place] for place in self._population.licenses(self.numbers).tolist()]


COLUMNS: Mapping[str, Callable[[Rows], list[str]]] = MappingProxyType(
    {
        "author": Rows.author,
        "cardData": Rows.card,
        "config": lambda rows: rows.of_stems(rows.texts.configs),
        "createdAt": Rows.created,
        "disabled": lambda rows: rows.fixed(',"disabled":false'),
        "downloads": Rows.downloads,
        "gated": Rows.gated,
        "lastModified": Rows.modified,
        "library_name": lambda rows: rows.of_stems(rows.texts.libraries),
        "likes": Rows.likes,
        "model-index": Rows.results,
        "pipeline_tag": lambda rows: rows.of_stems(rows.texts.tasks),
        "private": lambda rows: rows.fixed(',"private":false'),
        "safetensors": lambda rows: rows.of_stems(rows.texts.safetensors),
        "sha": Rows.sha,
        "tags": Rows.tags,
    }
)


def _safetensors(stem: Stem) -> str:
    if stem.weights != "safetensors":
        return ""
    told = {"parameters": {stem.dtype: stem.n_parameters}, "total": stem.n_parameters}
    return f',"safetensors":{to_json(told)}'


def _card(stem: Stem) -> dict[str, object]:
    card: dict[str, object] = {"library_name": stem.library}
    if stem.kind.task:
        card["pipeline_tag"] = stem.kind.task
    if stem.dataset:
        card |= {"datasets": [stem.dataset], "tags": ["generated_from_trainer"]}
    return card


def _result(stem: Stem) -> tuple[str, str] | None:
    """The `model-index` around the value of its only metric."""
    if not stem.dataset or not stem.has_labels:
        return None
    metric = {"type": "accuracy", "name": "Accuracy", "value": "@"}
    result = {
        "task": {"type": stem.kind.task},
        "dataset": {"name": stem.dataset, "type": stem.dataset, "split": "test"},
        "metrics": [metric],
    }
    before, _, after = to_json([{"name": stem.name, "results": [result]}]).partition('"@"')
    return before, after
