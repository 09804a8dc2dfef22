"""Every task's rows: their one form, the columns that are found, and the task that is guessed."""

import json
from pathlib import Path

import datasets
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.errors import BadInput, NotFound
from evaluators.reading.contents import content_of, parts_of
from evaluators.reading.shapes import SHAPES, Kind, shape_of
from evaluators.reading.tags import scheme_of, to_iob2
from evaluators.samples import Row, Samples

LONG = "a text of some length"
NER = datasets.Features(
    {
        "tokens": datasets.List(datasets.Value("string")),
        "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER", "I-PER"])),
    }
)

CASES = [
    ("text-classification", {"premise": "a", "hypothesis": "b", "label": 1},
     '{"text":"a","text_pair":"b"}', "1"),
    ("text-classification", {"text": "é", "label": ["y", "x", "y"]}, "é", '["x","y"]'),
    ("zero-shot-classification", {"text": LONG, "label": "x"}, LONG, "x"),
    ("token-classification", {"tokens": ["a", "b"], "ner_tags": ["I-X", "I-X"]},
     '{"tokens":["a","b"]}', '["B-X","I-X"]'),
    ("question-answering",
     {"id": "7", "context": "c", "question": "q", "answers": {"text": ["a", "a"], "start": [0]}},
     '{"context":"c","question":"q"}', '["a"]'),
    ("question-answering", {"context": "c", "question": "q", "answers": {"text": [], "at": []}},
     '{"context":"c","question":"q"}', "[]"),
    ("sentence-similarity", {"sentence1": "a", "sentence2": "b", "score": "3.800"},
     '{"text":"a","text_pair":"b"}', "3.8"),
    ("text-ranking", {"query": "q", "positive": ["a"], "negative": ["b", "c"]},
     '{"documents":["a","b","c"],"query":"q"}', "[1.0,0.0,0.0]"),
    ("text-ranking", {"query": "q", "documents": ["a", "b"], "relevances": [0, 2]},
     '{"documents":["a","b"],"query":"q"}', "[0.0,2.0]"),
    ("feature-extraction", {"anchor": "q", "positive": "a"}, '{"query":"q"}',
     '{"ca978112ca1bbdca":1.0}'),
    ("fill-mask", {"text": "a <mask> b", "word": "x"}, '{"text":"a [MASK] b"}', "x"),
    ("text-generation", {"instruction": "do", "output": "done"}, "do", '["done"]'),
    ("text-generation", {"question": "q", "choices": ["a", "b"], "answer": "B"},
     '{"choices":["a","b"],"text":"q"}', "1"),
    ("text-generation", {"question": "q", "A": "x", "B": "y", "answer": "y"},
     '{"choices":["x","y"],"text":"q"}', "1"),
    ("text-generation", {"messages": [{"role": "user", "content": "hi"}], "answer": "ho"},
     '{"messages":[{"content":"hi","role":"user"}]}', '["ho"]'),
    ("summarization", {"dialogue": LONG, "summary1": "a", "summary2": "b"}, LONG, '["a","b"]'),
    ("translation", {"translation": {"de": "eins", "en": "one"}}, "eins", '["one"]'),
    ("translation", {"en": "one", "de": "eins"}, "one", '["eins"]'),
]  # fmt: skip


def doubled(record: dict[str, object]) -> list[dict[str, object]]:
    """Two records, of which the second is of another class."""
    other = {"label": 0 if isinstance(record.get("label"), int) else "z"}
    return [record, {**record, **(other if isinstance(record.get("label"), int | str) else {})}]


@pytest.mark.parametrize(("task", "record", "content", "truth"), CASES)
def test_rows_have_one_form(task: str, record: dict[str, object], content: str, truth: str) -> None:
    """Content and truth are plain, or canonical JSON, whatever the columns are called."""
    found = Samples.of(doubled(record), shape=shape_of(task))
    assert (found.task, found.rows[0].text, found.rows[0].label) == (task, content, truth)


@pytest.mark.parametrize(("task", "record", "content", "truth"), CASES)
def test_tasks_are_guessed(task: str, record: dict[str, object], content: str, truth: str) -> None:
    """Columns of usual names tell the task; what looks the same is classification."""
    found = Samples.of(doubled(record), shape=None)
    alike = {"zero-shot-classification": "text-classification"}
    assert found.task == alike.get(task, task)
    assert f"task: {found.task}, " in found.notes[0] + " "


@pytest.mark.parametrize(
    "columns",
    [
        ("text", "label"), ("question", "label"), ("review", "rating"), ("text", "labels"),
        ("text", "summary", "label"), ("sentence1", "sentence2", "label"),
        ("question", "text", "label"), ("id", "it", "label"), ("query", "document", "label"),
        ("prompt", "response", "label"),
    ],
    ids=",".join,
)  # fmt: skip
def test_classes_are_not_mistaken_for_another_task(columns: tuple[str, ...]) -> None:
    """Where a column of labels repeats, rows are to be classified."""
    rows = [
        {name: f"{name} {at}" for name in columns[:-1]} | {columns[-1]: at % 2} for at in range(9)
    ]
    named = {"text": columns[0]} if len(columns) == 3 and "sentence1" not in columns else {}
    assert Samples.of(rows, shape=None, columns=named).task == "text-classification"


def test_a_pair_needs_both_its_columns() -> None:
    """A text that the user names stays alone."""
    rows = [{"premise": f"a{at}", "hypothesis": f"b{at}", "label": at % 2} for at in range(4)]
    assert Samples.of(rows, text="premise").rows[0].text == "a0"
    assert Samples.of(rows, columns={"text": "hypothesis", "text_pair": "premise"}).rows[
        0
    ].text == ('{"text":"b0","text_pair":"a0"}')


def test_several_flag_columns_are_several_labels() -> None:
    """Columns of 0 and 1 are the labels that are set; none is a statement too."""
    rows = [{"text": "a", "rude": 1, "spam": 1}, {"text": "b", "rude": 0, "spam": 0}]
    found = Samples.of(rows, columns={"label": ("rude", "spam")})
    assert [row.label for row in found.rows] == ['["rude","spam"]', "[]"]
    assert (found.truth, found.labels) == (Kind.FLAGS, ("rude", "spam"))
    with pytest.raises(BadInput, match="index 0: a flag that is neither 0 nor 1"):
        Samples.of([{"text": "a", "rude": 2, "spam": 0}], columns={"label": ("rude", "spam")})


def test_nested_columns_are_named_with_points() -> None:
    """`translation.en` is the value `en` in the objects of `translation`."""
    rows = [{"info": {"say": {"it": f"a{at}"}, "kind": at % 2}} for at in range(3)]
    found = Samples.of(rows, text="info.say.it", label="info.kind")
    assert found.rows[0] == Row("a0", "0")


def test_class_names_in_lists_are_used() -> None:
    """Integers of a list of ClassLabel become tags."""
    data = datasets.Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [[1, 0]]}, NER)
    assert Samples.of(data, shape=None).rows[0].label == '["B-PER","O"]'


def test_polars_and_pandas_give_the_same_rows() -> None:
    """Frames of both libraries hold the same samples."""
    columns = {"text": ["NA", "b"], "label": [1, 0]}
    assert Samples.of(pl.DataFrame(columns)).rows == Samples.of(pd.DataFrame(columns)).rows
    with pytest.raises(BadInput, match=r"Give data\.collect\(\)"):
        Samples.of(pl.LazyFrame(columns))


def test_streamed_data_sets_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that was loaded with streaming=True gives its rows."""
    monkeypatch.setattr(datasets.config, "TORCH_AVAILABLE", False)  # its import takes seconds
    data = datasets.Dataset.from_dict({"tokens": [["a"]], "ner_tags": [[1]]}, NER)
    assert Samples.of(data.to_iterable_dataset(), shape=None).rows[0].label == '["B-PER"]'


def test_documents_of_a_query_are_gathered() -> None:
    """A row for each document becomes one row a query, and the corpus holds every document."""
    rows = [
        {"query": query, "document": document, "relevance": at % 3}
        for at, (query, document) in enumerate([("q", "a"), ("r", "a"), ("q", "b"), ("q", "c")])
    ]
    ranked = Samples.of(rows, shape=shape_of("text-ranking"))
    assert [json.loads(row.label) for row in ranked.rows] == [[0.0, 2.0, 0.0], [1.0]]
    found = Samples.of(rows, shape=shape_of("feature-extraction"))
    assert sorted(found.corpus.values()) == ["a", "b", "c"]
    other = Samples.of([*rows, {**rows[0], "document": "d"}], shape=shape_of("feature-extraction"))
    assert found.fingerprint != other.fingerprint


def test_unknown_tasks_and_roles_are_answered_with_the_list() -> None:
    """A task that is not supported yet is said to be so, a role with those that there are."""
    with pytest.raises(NotFound, match=r"'tabular-classification' is not supported yet.*fill-mask"):
        shape_of("tabular-classification")
    with pytest.raises(NotFound, match="Did you mean 'token-classification'"):
        shape_of("ner")
    with pytest.raises(NotFound, match="no role 'passage'; its roles are question, context, label"):
        Samples.of([{"a": "b"}], shape=shape_of("question-answering"), columns={"passage": "a"})


TAGGED = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=8)


def written(tags: list[str], scheme: str) -> list[str]:
    """IOB2 tags in another scheme, by their definitions."""
    found = []
    for at, tag in enumerate(tags):
        follows = at + 1 < len(tags) and tags[at + 1] == f"I-{tag[2:]}"
        if tag == "O" or scheme == "IOB2":
            found.append(tag)
        elif scheme == "IOB1":
            same = at > 0 and tags[at - 1][2:] == tag[2:]
            found.append(f"{'B' if tag[0] == 'B' and same else 'I'}-{tag[2:]}")
        else:
            first, only, last = scheme
            sign = (first if follows else only) if tag[0] == "B" else ("I" if follows else last)
            found.append(f"{sign}-{tag[2:]}")
    return found


@given(tags=TAGGED, scheme=st.sampled_from(["IOB1", "IOB2", "BSE", "BUL"]))
def test_every_scheme_is_read_as_iob2(tags: list[str], scheme: str) -> None:
    """What is written in IOB1, IOB2, IOBES or BILOU is read back as the same IOB2."""
    valid = to_iob2(tags)
    assert to_iob2(written(valid, scheme)) == valid


def test_schemes_are_told_apart() -> None:
    """A sentence's tags tell the scheme."""
    rows = {
        "IOB2": ["B-X", "I-X"], "IOB1": ["I-X", "O"], "IOBES": ["S-X"], "BILOU": ["U-X"],
        "bare types": ["X", "O"], "none": ["O"],
    }  # fmt: skip
    assert {scheme_of([tags]): tags for tags in rows.values()} == rows


def test_the_end_of_an_entity_is_an_end() -> None:
    """After E or L, an I of the same type begins another entity."""
    assert to_iob2(["B-X", "E-X", "I-X"]) == ["B-X", "I-X", "B-X"]


@given(st.text())
def test_contents_give_their_parts_back(text: str) -> None:
    """A content of parts is read back as them."""
    parts = {"text": text, "text_pair": "b"}
    assert parts_of(content_of(parts, plain=True)) == parts
    assert content_of({"text": text}, plain=True) == text


def test_every_shape_names_its_truth_label() -> None:
    """`--label` names the truth's column in every task."""
    assert {shape.truth.name for shape in SHAPES.values()} == {"label"}
    assert all(task == shape.task for task, shape in SHAPES.items())


def test_files_named_on_the_way_are_no_part_of_a_row(tmp_path: Path) -> None:
    """A row is the same wherever its file lies."""
    assert Row("a", "b", file=str(tmp_path)).digest == Row("a", "b").digest
