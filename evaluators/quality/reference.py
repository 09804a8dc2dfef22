"""Metrics of spans, texts, speech and images, each an `evaluate.Metric` of its own library.

seqeval, rouge-score, sacrebleu, jiwer and pycocotools compute the values here; the row values and
sums of the neighbouring files are held against them. No library has mrr, recall@k, SQuAD's scores,
matches or perplexities without a model, so those have one formula only.
"""

from itertools import zip_longest
from types import ModuleType

from evaluators.quality import detection, generation, ranking, squad
from evaluators.quality.answers import objects_in, text_in, texts_in
from evaluators.quality.extras import library
from evaluators.quality.forms import BoundedMean, Sums
from evaluators.quality.metrics import Asked, StringMetric
from evaluators.quality.spans import MOST_SPANS


class EntityF1(StringMetric):
    """F1 of all entities' hits and misses added up; tags are IOB2."""

    _judge = "f1_score"

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        seqeval = library("seqeval.metrics", extra="text")
        scheme = library("seqeval.scheme", extra="text").IOB2
        wanted = [texts_in(truth) for truth in references]
        given = [_tags(answer, len(tags)) for answer, tags in zip(predictions, wanted, strict=True)]
        judge = getattr(seqeval, self._judge)
        return float(judge(wanted, given, mode="strict", scheme=scheme, zero_division=0))


class EntityPrecision(EntityF1):
    """The share of answered entities that are right."""

    _judge = "precision_score"


class EntityRecall(EntityF1):
    """The share of the true entities that are answered."""

    _judge = "recall_score"


def _tags(answer: str, n_tokens: int) -> list[str]:
    """The answered tags; a wrong entity of one token for each where they are missing."""
    tags = texts_in(answer) if answer else []
    if len(tags) == n_tokens:
        return [tag if tag[:1] in ("B", "I") else "O" for tag in tags]
    n_wrong = min(n_tokens, MOST_SPANS)
    return ["B-\N{REPLACEMENT CHARACTER}"] * n_wrong + ["O"] * (n_tokens - n_wrong)


class RougeL(StringMetric):
    """The mean of the f-measure of the longest common subsequence, with the best reference."""

    _kind = "rougeL"

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        scorer = library("rouge_score.rouge_scorer", extra="text").RougeScorer([self._kind])
        pairs = zip(predictions, references, strict=True)
        scores = [
            scorer.score_multi(texts_in(truth), text_in(answer))[self._kind].fmeasure
            if answer
            else 0.0
            for answer, truth in pairs
        ]
        return float(sum(scores)) / len(scores)


class Rouge1(RougeL):
    """The mean of the f-measure of words."""

    _kind = "rouge1"


class Rouge2(RougeL):
    """The mean of the f-measure of pairs of words."""

    _kind = "rouge2"


class Chrf(StringMetric):
    """The mean over sentences of chrF2, by sacrebleu, divided by 100."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        sacrebleu = library("sacrebleu", extra="text")
        pairs = zip(predictions, references, strict=True)
        scores = [
            sacrebleu.sentence_chrf(text_in(answer), texts_in(truth)).score if answer else 0.0
            for answer, truth in pairs
        ]
        return float(sum(scores)) / len(scores) / 100.0


class SentenceBleu(StringMetric):
    """The mean over sentences of BLEU, by sacrebleu, divided by 100."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        sacrebleu = library("sacrebleu", extra="text")
        pairs = zip(predictions, references, strict=True)
        scores = [
            sacrebleu.sentence_bleu(text_in(answer), texts_in(truth)).score if answer else 0.0
            for answer, truth in pairs
        ]
        return float(sum(scores)) / len(scores) / 100.0


class CorpusBleu(StringMetric):
    """BLEU of all sentences together, by sacrebleu, divided by 100."""

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        sacrebleu = library("sacrebleu", extra="text")
        wanted = [texts_in(truth) for truth in references]
        given = [
            text_in(answer) if answer else self._wrong(sacrebleu, texts)
            for answer, texts in zip(predictions, wanted, strict=True)
        ]
        columns = list(zip_longest(*wanted))  # one list for each place of a reference
        return float(sacrebleu.corpus_bleu(given, columns).score) / 100.0

    def _wrong(self, sacrebleu: ModuleType, references: list[str]) -> str:
        """As many wrong words as the shortest reference has."""
        n_words = min(sacrebleu.sentence_bleu("", [one]).ref_len for one in references)
        return " ".join(["\N{REPLACEMENT CHARACTER}"] * n_words)


class Wer(StringMetric):
    """The mean over rows of jiwer's word error rate, at most 1 each."""

    _judge = "wer"

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        judge = getattr(library("jiwer", extra="audio"), self._judge)
        pairs = zip(predictions, references, strict=True)
        rates = [
            min(1.0, float(judge(text_in(truth), text_in(answer)))) if answer else 1.0
            for answer, truth in pairs
        ]
        return sum(rates) / len(rates)


class Cer(Wer):
    """The mean over rows of jiwer's character error rate, at most 1 each."""

    _judge = "cer"


class CocoMap(StringMetric):
    """The mean average precision of COCO, by pycocotools: overlaps .50 to .95, all sizes."""

    _overlaps = detection.OVERLAPS

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        wanted = [objects_in(truth) for truth in references]
        labels = sorted({str(one["label"]) for row in wanted for one in row})
        far = [-9e6, -9e6, 1 - 9e6, 1 - 9e6]
        nowhere = [{"box": far, "label": label, "score": 1e9} for label in labels]
        given = [objects_in(answer) if answer else nowhere for answer in predictions]
        return detection.coco_average_precision(wanted, given, labels, self._overlaps)


class CocoMap50(CocoMap):
    """The same at the overlap .50 alone."""

    _overlaps = detection.OVERLAPS[:1]


class OwnMetric(StringMetric):
    """A metric that no library has: one formula, in the neighbouring files."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        raise NotImplementedError

    def _of(self, predictions: list[str], references: list[str], asked: Asked) -> float:
        return self._measure(asked).value(predictions, references)


class Mrr(OwnMetric):
    """The mean over queries of 1 / rank of the first relevant document."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return ranking.reciprocal_rank()


class RecallAtK(OwnMetric):
    """The mean over queries of the share of relevant documents among the first k."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return ranking.recall_at(asked.k)


class AccuracyAtK(OwnMetric):
    """The share of rows whose truth is among the first k answers."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return ranking.accuracy_at(asked.k)


class SquadExactMatch(OwnMetric):
    """The share of questions answered with an acceptable answer, after SQuAD's normalisation."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return squad.exact_match()


class SquadF1(OwnMetric):
    """The mean over questions of the f1 of words shared with the nearest acceptable answer."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return squad.f1()


class ExactMatch(OwnMetric):
    """The share of generated texts that are an acceptable answer."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return generation.exact_match()


class RegexMatch(OwnMetric):
    """The share of generated texts in which one of the truth's regular expressions is found."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return generation.regex_match()


class Perplexity(OwnMetric):
    """exp of the mean negative log-likelihood of a token."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return generation.perplexity()


class BitsPerByte(OwnMetric):
    """The mean negative binary logarithm of the likelihood of a byte."""

    def _measure(self, asked: Asked) -> BoundedMean | Sums:
        return generation.bits_per_byte()
