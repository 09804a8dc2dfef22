"""What label names mean: a small table of synonyms, and star ratings as opinions.

The table holds words that mean one thing whichever model or data set uses them, in the languages
that models of the Hub name their labels in. What it lacks is not guessed: `good` and `bad`, school
grades (1 is the best in some countries), scales of other lengths than five, and numbers for
sentiments (0 is negative in most models, and positive in some) are left to `--label-map` and to
the assignment that is inferred from rows.

Star ratings are read on the scale 1 to 5 only. Where the data's labels are opinions:

| rating  | two classes | three classes | five classes  |
|---------|-------------|---------------|---------------|
| 1 star  | negative    | negative      | very negative |
| 2 stars | negative    | negative      | negative      |
| 3 stars | no label    | neutral       | neutral       |
| 4 stars | positive    | positive      | positive      |
| 5 stars | positive    | positive      | very positive |

An answer of 3 stars on data of two classes stands for no label and counts as wrong: the middle is
neither, and a rule that made it one would change scores in secret. `very positive` is positive in
the same way where the data has no such class. Data in stars is met by models with five classes,
not by models with two or three: one answer cannot stand for two labels.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from evaluators.labelling.spelling import folded, normalised

TABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "positive": (
            "positive", "positiv", "positif", "positive sentiment", "positivo", "positiva",
            "positief", "pozitif", "pozytywny", "pozitivní", "позитивный", "положительный",
            "позитив", "正面", "积极", "積極", "正向", "ポジティブ", "긍정", "긍정적", "إيجابي",
            "सकारात्मक", "tích cực", "θετικό", "חיובי",
        ),
        "negative": (
            "negative", "negativ", "négatif", "negatif", "negative sentiment", "negativo",
            "negativa", "negatief", "negatywny", "negativní", "негативный", "отрицательный",
            "негатив", "负面", "負面", "消极", "消極", "负向", "ネガティブ", "부정", "부정적",
            "سلبي", "नकारात्मक", "tiêu cực", "αρνητικό", "שלילי",
        ),
        "neutral": (
            "neutral", "neutre", "neutro", "neutraal", "nötr", "neutralny", "neutrální",
            "нейтральный", "中性", "中立", "ニュートラル", "중립", "محايد", "तटस्थ", "trung tính",
        ),
        "true": (
            "true", "yes", "wahr", "ja", "vrai", "oui", "verdadero", "sí", "si", "vero",
            "verdadeiro", "sim", "да", "是", "はい", "예", "نعم",
        ),
        "false": (
            "false", "no", "falsch", "nein", "faux", "non", "falso", "não", "nee", "нет", "否",
            "いいえ", "아니요", "لا",
        ),
        "not spam": ("ham", "legitimate", "notspam", "nospam", "nonspam"),
        "spam": ("spam", "спам", "垃圾", "스팸"),
        "toxic": ("toxic", "toxicity"),
        "not toxic": ("nontoxic", "nottoxic"),
        "offensive": ("offensive", "offense"),
        "not offensive": ("nonoffensive", "notoffensive"),
        "hate": ("hate", "hateful", "hate speech"),
        "not hate": ("nonhate", "nothate", "nonhateful"),
        "irony": ("irony", "ironic"),
        "not irony": ("nonirony", "notirony", "nonironic"),
        "entailment": ("entailment", "entail", "entails", "entailed"),
        "contradiction": ("contradiction", "contradict", "contradicts", "contradictory"),
        "joy": ("joy", "joyful", "happy", "happiness"),
        "sadness": ("sadness", "sad"),
        "anger": ("anger", "angry"),
        "fear": ("fear", "fearful"),
        "surprise": ("surprise", "surprised"),
        "disgust": ("disgust", "disgusted"),
        "sports": ("sports", "sport"),
        "science and technology": (
            "sci/tech", "science and technology", "science & technology", "science/technology",
        ),
    }
)  # fmt: skip
"""Each meaning with the words for it; case, spaces and punctuation do not matter."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {normalised(word): meaning for meaning, words in TABLE.items() for word in words}
)

NEGATED = re.compile(r"(?:not|non|no)[\s_-]+(.+)")
VERY = re.compile(r"(?:very|strongly|extremely|sehr|très|muy|molto|очень)[\s_-]+(.+)")

STAR_WORDS = (
    r"stars?|sterne?|étoiles?|estrellas?|estrelas?|stell[ae]|sterren|yıldız|зв[её]зд[аы]?|星|별"
)
STARS = re.compile(rf"(\d)[\s_-]*(?:{STAR_WORDS})|(?:{STAR_WORDS})[\s_:-]*(\d)")
SIGNS = re.compile("([★⭐]{1,5})[☆✩]*")

OPINIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "1": ("very negative", "negative"),
        "2": ("negative",),
        "3": ("neutral",),
        "4": ("positive",),
        "5": ("very positive", "positive"),
    }
)
"""What a number of stars out of five says, from the finer meaning to the coarser."""


def meanings(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """What each label of a set means, from the finest meaning to the coarsest; never empty.

    Numbers have a meaning in their set only: 0 and 1 alone are false and true, and 1 to 5,
    complete, are stars, of which it is not said whether many are good. Stars say so where the
    largest is five.
    """
    numbers = {normalised(label) for label in labels}
    stars = [stars_in(label) for label in labels]
    on_scale = max(filter(None, stars), default="") == "5" and "0" not in stars
    if numbers == {"0", "1"}:
        return [("true",) if normalised(label) == "1" else ("false",) for label in labels]
    if numbers == set(OPINIONS):
        return [(f"{normalised(label)} stars",) for label in labels]
    return [
        (f"{star} stars", *OPINIONS[star]) if star and on_scale else _words(label)
        for label, star in zip(labels, stars, strict=True)
    ]


def stars_in(label: str) -> str | None:
    """The digit of a star rating: `5 stars`, `star_5`, `★★★★★`; None for any other label."""
    plain = folded(label)
    if signs := SIGNS.fullmatch(plain):
        return str(len(signs[1]))
    found = STARS.fullmatch(plain)
    return (found[1] or found[2]) if found else None


def by_meaning(outputs: Sequence[str], wanted: Sequence[str]) -> dict[int, str]:
    """For each output that means a label of the data, by index, that label.

    An output takes the first of its meanings that the data has, so several may stand for one
    label. Labels of the data that mean the same are not told apart: no output stands for them.
    Stars in the data are read as opinions where only so all of them are reached.
    """
    senses, meant = meanings(outputs), meanings(wanted)
    finest = _reached(senses, [found[0] for found in meant], wanted)
    if set(finest.values()) == set(wanted) or all(len(found) == 1 for found in meant):
        return finest
    opinions = _reached(senses, [found[min(1, len(found) - 1)] for found in meant], wanted)
    return opinions if set(opinions.values()) == set(wanted) else finest


def coarser(
    outputs: Sequence[str], wanted: Sequence[str], known: Mapping[int, str]
) -> dict[int, str]:
    """The outputs without a label that mean one in a coarser sense: `very positive` is positive."""
    if len(known) == len(outputs):
        return {}
    senses = meanings(outputs)
    found = by_meaning(outputs, wanted)
    return {at: label for at, label in found.items() if at not in known and len(senses[at]) > 1}


def _reached(
    senses: Sequence[Sequence[str]], meant: Sequence[str], wanted: Sequence[str]
) -> dict[int, str]:
    """The label with the first of each output's senses, among those that one label alone has."""
    label_of = dict(zip(meant, wanted, strict=True))
    chosen = {meaning: label_of[meaning] for meaning, n in Counter(meant).items() if n == 1}
    found = ((at, next(filter(chosen.get, each), None)) for at, each in enumerate(senses))
    return {at: chosen[meaning] for at, meaning in found if meaning is not None}


def _words(label: str) -> tuple[str, ...]:
    """The meanings of a label's words; its normalised form where the table lacks it."""
    plain, bare = folded(label), normalised(label)
    if bare in MEANINGS:
        return (MEANINGS[bare],)
    if negated := NEGATED.fullmatch(plain):
        return (f"not {_words(negated[1])[-1]}",)
    if very := VERY.fullmatch(plain):
        inner = _words(very[1])[-1]
        return (f"very {inner}", inner) if inner in ("positive", "negative") else (bare,)
    return (bare,)
