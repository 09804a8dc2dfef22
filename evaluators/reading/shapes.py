"""What a task's rows hold: which roles columns play, what they are usually called.

The truth's role is `label` in every task, so that `--label` always names its column; the input's
first role is what it is called in the content (`text`, `tokens`, `question`, `image`, ...).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cache.errors import NotFound
from evaluators.reading.columns import LABEL_NAMES, TEXT_NAMES

Names = tuple[tuple[str, ...], ...]


class Kind(StrEnum):
    """What a cell of a role holds."""

    TEXT = "text"
    PROMPT = "text or a list of chat messages"
    MASKED = "text with [MASK] once"
    LABEL = "label"
    LABELS = "list of labels"
    FLAGS = "one column of 0 and 1 for each label"
    NUMBER = "number"
    NUMBERS = "list of numbers"
    TOKENS = "list of words"
    TAGS = "list of tags"
    TEXTS = "list of texts"
    ANSWERS = "list of answers"
    CHOICES = "list of choices"
    INDEX = "the right choice"
    RELEVANCES = "relevance of each document"
    TRANSCRIPT = "transcript"
    IMAGE = "image file"
    AUDIO = "audio file"
    BOXES = "list of boxes with labels"


@dataclass(frozen=True, slots=True)
class Role:
    """A part that a column plays. `names` are usual column names, in tiers: earlier ones win.

    `several` roles may be spread over numbered columns, as `summary1`, `summary2`.
    """

    name: str
    kind: Kind
    names: Names
    optional: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The roles of a task's rows. `plain`: a lone text is kept as it is and not as an object."""

    task: str
    inputs: tuple[Role, ...]
    truth: Role
    plain: bool = False

    @property
    def roles(self) -> tuple[Role, ...]:
        """Inputs first, the truth last."""
        return (*self.inputs, self.truth)

    @property
    def nouns(self) -> str:
        """What inputs are called: texts, images, sounds, queries, or inputs if they have parts."""
        if self.plain:
            return "texts"
        if self.task == "feature-extraction":
            return "queries"
        return {Kind.IMAGE: "images", Kind.AUDIO: "sounds"}.get(self.inputs[0].kind, "inputs")

    def role(self, name: str) -> Role:
        """The role of a name; NotFound with the list."""
        for role in self.roles:
            if role.name == name:
                return role
        known = ", ".join(role.name for role in self.roles)
        raise NotFound(f"{self.task} has no role {name!r}; its roles are {known}")


def _label(kind: Kind, *names: tuple[str, ...], several: bool = False) -> Role:
    return Role("label", kind, names, several=several)


TEXT = Role("text", Kind.TEXT, TEXT_NAMES)
TEXT_PAIR = Role(
    "text_pair",
    Kind.TEXT,
    (("text_pair", "hypothesis", "sentence2", "sentence_2", "question2", "text2", "text_2",
      "text_b", "sentence_b", "sent2"),),
    optional=True,
)  # fmt: skip
CLASS = Role("label", Kind.LABEL, LABEL_NAMES)
IMAGE = Role("image", Kind.IMAGE, (("image", "img"), ("image_path", "file_name", "filename",
             "file", "path", "image_file", "picture", "photo")))  # fmt: skip
AUDIO = Role("audio", Kind.AUDIO, (("audio", "speech"), ("audio_path", "file_name", "filename",
             "file", "path", "audio_file", "wav", "recording")))  # fmt: skip

TEXT_CLASSIFICATION = Shape("text-classification", (TEXT, TEXT_PAIR), CLASS, plain=True)

PAIRS = (
    ("text", "text_pair"), ("premise", "hypothesis"), ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"), ("question1", "question2"), ("text1", "text2"),
    ("text_1", "text_2"), ("text_a", "text_b"), ("sentence_a", "sentence_b"), ("sent1", "sent2"),
)  # fmt: skip
"""Column names that make two texts one input."""

SHAPES: Mapping[str, Shape] = MappingProxyType({shape.task: shape for shape in (
    TEXT_CLASSIFICATION,
    Shape("zero-shot-classification", (TEXT,), CLASS, plain=True),
    Shape(
        "token-classification",
        (Role("tokens", Kind.TOKENS, (("tokens", "words"),
                                      ("token", "word", "sentence", "text"))),),
        _label(Kind.TAGS, ("ner_tags", "tags", "labels", "label"),
               ("ner", "ner_tag", "tag", "pos_tags", "chunk_tags", "entities")),
    ),
    Shape(
        "question-answering",
        (
            Role("question", Kind.TEXT, (("question",), ("query", "questions"))),
            Role("context", Kind.TEXT, (("context",),
                                        ("passage", "paragraph", "document", "text"))),
        ),
        _label(Kind.ANSWERS, ("answers", "answer", "answer_text"), ("label",)),
    ),
    Shape(
        "sentence-similarity",
        (
            Role("text", Kind.TEXT, (tuple(dict.fromkeys(first for first, _ in PAIRS)),)),
            Role("text_pair", Kind.TEXT, TEXT_PAIR.names),
        ),
        _label(Kind.NUMBER, ("score", "similarity", "similarity_score"),
               ("label", "relatedness_score", "rating", "gold")),
    ),
    Shape(
        "feature-extraction",
        (Role("query", Kind.TEXT, (("query",), ("question", "anchor", "text"))),),
        _label(Kind.RELEVANCES, ("relevances", "qrels"),
               ("positives", "positive", "pos", "positive_passages"),
               ("document", "passage", "label")),
    ),
    Shape(
        "text-ranking",
        (
            Role("query", Kind.TEXT, (("query",), ("question", "text"))),
            Role("documents", Kind.TEXTS, (("documents", "docs", "passages", "candidates"),)),
        ),
        _label(Kind.NUMBERS, ("relevances", "relevance", "labels", "label", "scores", "score")),
    ),
    Shape(
        "fill-mask",
        (Role("text", Kind.MASKED, (("text", "masked_text", "masked", "masked_sentence"),
                                  *TEXT_NAMES[1:])),),
        _label(Kind.TEXT, ("word", "answer", "mask", "label", "token", "target", "obj_label")),
    ),
    Shape(
        "text-generation",
        (
            Role("text", Kind.PROMPT, (("messages", "conversation", "prompt"),
                 ("instruction", "question", "input", "inputs", "problem", "query", "text"))),
            Role("choices", Kind.CHOICES, (("choices", "options", "endings"),), optional=True,
                 several=True),
        ),
        _label(Kind.TEXTS, ("answers", "answer", "completion", "response", "answerkey"),
               ("output", "target", "solution", "label", "reference", "references", "gold")),
        plain=True,
    ),
    Shape(
        "summarization",
        (Role("text", Kind.TEXT, (("document", "article", "dialogue", "dialog"),
              ("text", "content", "body", "source", "report", "story", "conversation"))),),
        _label(Kind.TEXTS, ("summary", "summaries", "highlights"),
               ("abstract", "tldr", "target", "label", "reference", "references", "headline"),
               several=True),
        plain=True,
    ),
    Shape(
        "translation",
        (Role("text", Kind.TEXT, (("source", "src", "source_text", "source_sentence"),
                                  ("text",))),),
        _label(Kind.TEXTS, ("target", "tgt", "target_text", "target_sentence"),
               ("translation", "translations", "reference", "references", "ref", "label"),
               several=True),
        plain=True,
    ),
    Shape("image-classification", (IMAGE,), CLASS),
    Shape(
        "object-detection", (IMAGE,),
        _label(Kind.BOXES, ("objects", "annotations"), ("boxes", "label", "labels")),
    ),
    Shape(
        "automatic-speech-recognition", (AUDIO,),
        _label(Kind.TRANSCRIPT, ("text", "transcription", "transcript", "sentence"),
               ("label", "normalized_text", "raw_text")),
    ),
    Shape("audio-classification", (AUDIO,), CLASS),
)})  # fmt: skip
"""A shape for each task, by the Hub's pipeline tag."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "ner": "token-classification",
        "sentiment-analysis": "text-classification",
        "retrieval": "feature-extraction",
        "text2text-generation": "text-generation",
    }
)


NOT_YET = (
    "tabular-classification", "tabular-regression", "time-series-forecasting",
    "table-question-answering", "image-segmentation", "image-to-text", "image-text-to-text",
    "visual-question-answering", "document-question-answering", "zero-shot-image-classification",
    "zero-shot-object-detection", "image-feature-extraction", "depth-estimation", "mask-generation",
    "keypoint-detection", "video-classification", "text-to-image", "image-to-image",
    "text-to-speech", "audio-to-audio", "voice-activity-detection", "audio-text-to-text",
    "any-to-any", "reinforcement-learning", "graph-ml", "robotics",
)  # fmt: skip
"""Tasks of the Hub that nothing here reads, runs or judges."""


def shape_of(task: str) -> Shape:
    """The shape of a task's rows. NotFound with the nearest task and the list."""
    if task in SHAPES:
        return SHAPES[task]
    close = () if task in NOT_YET else difflib.get_close_matches(task, SHAPES, 1, 0.6)
    near = ALIASES.get(task) or next(iter(close), None)
    hint = f" Did you mean {near!r}?" if near else ""
    known = "is not supported yet" if task in NOT_YET else "is unknown"
    raise NotFound(f"task {task!r} {known}.{hint} There are: {', '.join(SHAPES)}")
