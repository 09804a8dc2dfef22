"""What synthetic models are drawn from: tasks, families, bases, languages, licences, data sets.

The shares are set by hand to the orders of magnitude of the public Hub's listing; nothing is
concluded from them but how a catalog copes with data of this shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A well-known model from which others are made."""

    id: str
    family: str
    n_parameters: int
    task: str


@dataclass(frozen=True, slots=True)
class TaskKind:
    """How common a task is, what does it, and on which data sets that was trained."""

    task: str
    share: float
    families: tuple[str, ...]
    library: str = "transformers"
    head: str = "Model"
    datasets: tuple[str, ...] = ()
    has_language: bool = True


BASES = (
    Base("google-bert/bert-base-uncased", "bert", 110_106_428, "fill-mask"),
    Base("google-bert/bert-base-multilingual-cased", "bert", 178_566_653, "fill-mask"),
    Base("google/bert_uncased_L-2_H-128_A-2", "bert", 4_416_698, "fill-mask"),
    Base("distilbert/distilbert-base-uncased", "distilbert", 66_985_530, "fill-mask"),
    Base("distilbert/distilbert-base-multilingual-cased", "distilbert", 135_445_755, "fill-mask"),
    Base("FacebookAI/roberta-base", "roberta", 124_697_433, "fill-mask"),
    Base("FacebookAI/roberta-large", "roberta", 355_412_057, "fill-mask"),
    Base("FacebookAI/xlm-roberta-base", "xlm-roberta", 278_295_186, "fill-mask"),
    Base("microsoft/deberta-v3-small", "deberta-v2", 141_895_680, "fill-mask"),
    Base("microsoft/deberta-v3-base", "deberta-v2", 184_422_912, "fill-mask"),
    Base("google/electra-small-discriminator", "electra", 13_549_314, "feature-extraction"),
    Base("albert/albert-base-v2", "albert", 11_685_122, "fill-mask"),
    Base("answerdotai/ModernBERT-base", "modernbert", 149_655_232, "fill-mask"),
    Base("microsoft/mpnet-base", "mpnet", 109_486_854, "fill-mask"),
    Base("nreimers/MiniLM-L6-H384-uncased", "bert", 22_713_728, "feature-extraction"),
    Base("openai-community/gpt2", "gpt2", 124_439_808, "text-generation"),
    Base("meta-llama/Llama-3.2-1B", "llama", 1_235_814_400, "text-generation"),
    Base("meta-llama/Llama-3.1-8B", "llama", 8_030_261_248, "text-generation"),
    Base("meta-llama/Llama-3.1-70B", "llama", 70_553_706_496, "text-generation"),
    Base("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama", 1_100_048_384, "text-generation"),
    Base("mistralai/Mistral-7B-v0.1", "mistral", 7_241_732_096, "text-generation"),
    Base("Qwen/Qwen2.5-0.5B", "qwen2", 494_032_768, "text-generation"),
    Base("Qwen/Qwen2.5-7B", "qwen2", 7_615_616_512, "text-generation"),
    Base("google/gemma-2-2b", "gemma2", 2_614_341_888, "text-generation"),
    Base("google-t5/t5-small", "t5", 60_506_624, "text2text-generation"),
    Base("google/flan-t5-base", "t5", 247_577_856, "text2text-generation"),
    Base("facebook/bart-base", "bart", 139_420_416, "text2text-generation"),
    Base("Helsinki-NLP/opus-mt-en-de", "marian", 74_410_496, "translation"),
    Base("facebook/wav2vec2-base", "wav2vec2", 95_044_608, "automatic-speech-recognition"),
    Base("openai/whisper-small", "whisper", 241_734_912, "automatic-speech-recognition"),
    Base("google/vit-base-patch16-224-in21k", "vit", 86_389_248, "image-classification"),
    Base("microsoft/swin-tiny-patch4-window7-224", "swin", 28_288_354, "image-classification"),
    Base("facebook/detr-resnet-50", "detr", 41_631_008, "object-detection"),
    Base("runwayml/stable-diffusion-v1-5", "stable-diffusion", 1_066_235_307, "text-to-image"),
)

ENCODERS = (
    "bert", "bert", "distilbert", "roberta", "xlm-roberta", "deberta-v2", "electra", "albert",
    "modernbert",
)  # fmt: skip
DECODERS = ("llama", "llama", "llama", "qwen2", "qwen2", "mistral", "gpt2", "gemma2")

TASKS = (
    TaskKind("", 0.430, (*DECODERS, "bert", "t5", "stable-diffusion"), has_language=False),
    TaskKind("text-generation", 0.240, DECODERS, head="ForCausalLM",
             datasets=("HuggingFaceH4/ultrachat_200k", "tatsu-lab/alpaca", "openai/gsm8k")),
    TaskKind("text-classification", 0.075, ENCODERS, head="ForSequenceClassification",
             datasets=("emotion", "stanfordnlp/imdb", "glue", "ag_news", "tweet_eval")),
    TaskKind("text-to-image", 0.060, ("stable-diffusion",), has_language=False),
    TaskKind("reinforcement-learning", 0.045, ("ppo",), has_language=False),
    TaskKind("token-classification", 0.025, ENCODERS, head="ForTokenClassification",
             datasets=("eriktks/conll2003", "wikiann")),
    TaskKind("automatic-speech-recognition", 0.014, ("wav2vec2",), head="ForCTC",
             datasets=("mozilla-foundation/common_voice_11_0",)),
    TaskKind("automatic-speech-recognition", 0.011, ("whisper",),
             head="ForConditionalGeneration", datasets=("mozilla-foundation/common_voice_11_0",)),
    TaskKind("image-classification", 0.020, ("vit", "swin"), head="ForImageClassification",
             datasets=("imagefolder", "cifar10"), has_language=False),
    TaskKind("feature-extraction", 0.015, (*ENCODERS, "mpnet")),
    TaskKind("sentence-similarity", 0.015, ("bert", "mpnet", "xlm-roberta", "modernbert"),
             "sentence-transformers", datasets=("sentence-transformers/all-nli",)),
    TaskKind("fill-mask", 0.014, ENCODERS, head="ForMaskedLM", datasets=("wikipedia",)),
    TaskKind("text2text-generation", 0.013, ("t5", "bart"), head="ForConditionalGeneration",
             datasets=("samsum",)),
    TaskKind("question-answering", 0.009, ENCODERS, head="ForQuestionAnswering",
             datasets=("rajpurkar/squad", "rajpurkar/squad_v2")),
    TaskKind("translation", 0.006, ("marian",), head="MTModel", datasets=("wmt16",)),
    TaskKind("summarization", 0.004, ("bart", "t5"), head="ForConditionalGeneration",
             datasets=("cnn_dailymail",)),
    TaskKind("object-detection", 0.004, ("detr",), head="ForObjectDetection",
             has_language=False),
)  # fmt: skip

PREFIXES: Mapping[str, str] = {
    "bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta",
    "deberta-v2": "DebertaV2", "electra": "Electra", "albert": "Albert", "mpnet": "MPNet",
    "modernbert": "ModernBert", "llama": "Llama", "qwen2": "Qwen2", "mistral": "Mistral",
    "gpt2": "GPT2", "gemma2": "Gemma2", "t5": "T5", "bart": "Bart", "marian": "Marian",
    "wav2vec2": "Wav2Vec2", "whisper": "Whisper", "vit": "ViT", "swin": "Swin", "detr": "Detr",
}  # fmt: skip
"""A family's name in its classes; families without one are not of transformers."""

LIBRARIES: Mapping[str, str] = {"stable-diffusion": "diffusers", "ppo": "stable-baselines3"}
"""Libraries of families, where they are not the task's."""

PARAMETER_RANGES: Mapping[str, tuple[float, float]] = {
    "stable-diffusion": (5e6, 3e9), "ppo": (1e3, 1e6), "llama": (1e7, 7e10), "qwen2": (5e7, 3e10),
    "mistral": (1e8, 2e10), "gemma2": (1e8, 2.7e10), "gpt2": (1e6, 1.5e9), "t5": (1e6, 3e9),
}  # fmt: skip
"""Between these, models without a known base are spread evenly over the logarithm."""

OTHER_PARAMETER_RANGE = (5e5, 6e8)

LABELS: Mapping[str, tuple[str, ...]] = {
    "emotion": ("sadness", "joy", "love", "anger", "fear", "surprise"),
    "stanfordnlp/imdb": ("negative", "positive"),
    "glue": ("negative", "positive"),
    "ag_news": ("World", "Sports", "Business", "Sci/Tech"),
    "tweet_eval": ("negative", "neutral", "positive"),
    "eriktks/conll2003": ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer"),
}

LANGUAGES: Shares = (
    ("en", 0.52), ("", 0.22), ("zh", 0.05), ("fr", 0.025), ("de", 0.025), ("es", 0.025),
    ("ja", 0.02), ("ko", 0.02), ("ru", 0.02), ("pt", 0.015), ("ar", 0.015), ("it", 0.01),
    ("hi", 0.01), ("vi", 0.01), ("id", 0.005), ("tr", 0.005), ("nl", 0.003), ("sw", 0.002),
)  # fmt: skip
LICENSES: Shares = (
    ("apache-2.0", 0.36), ("", 0.34), ("mit", 0.14), ("other", 0.03), ("llama3.1", 0.02),
    ("creativeml-openrail-m", 0.03), ("cc-by-nc-4.0", 0.025), ("cc-by-4.0", 0.02),
    ("gemma", 0.01), ("cc-by-nc-sa-4.0", 0.01), ("gpl-3.0", 0.005), ("bsd-3-clause", 0.005),
    ("afl-3.0", 0.005),
)  # fmt: skip
GATED: Shares = (("false", 0.97), ('"auto"', 0.02), ('"manual"', 0.01))
"""As JSON."""

OWNERS = (
    "maria", "deep-lab", "jonas", "li", "ai-lab", "sofia", "nlp-group", "kumar", "yuki", "omar",
    "anna", "data-team", "pedro", "chen", "uni", "elena", "research", "sam", "nova", "olga",
)  # fmt: skip
WORDS = ("v2", "base", "custom", "test", "model", "large-run", "ft", "merged", "chat", "domain")
