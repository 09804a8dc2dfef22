"""Puts together what a model's files tell, each fact from the place that knows it best."""

from dataclasses import replace

from catalog.card import CardFacts
from catalog.config import ConfigFacts
from catalog.model import Model
from catalog.plan import formats_of


def describe(model: Model, config: ConfigFacts, card: CardFacts) -> Model:
    """The model with its config's and card's facts; what is set already (task, library) stays."""
    return replace(
        model,
        task=model.task or card.task or config.task,
        architecture=config.architecture,
        model_type=config.model_type,
        labels=config.labels,
        label2id=config.label2id,
        n_layers=config.n_layers,
        embedding_parameters=config.embedding_parameters,
        max_length=config.max_length,
        has_remote_code=config.has_remote_code or _brings_code(model),
        quantization=config.quantization or _packed_beside(model),
        formats=formats_of([file.path for file in model.files]),
        license=card.license or model.license,
        languages=card.languages or model.languages,
        library=model.library or card.library or ("transformers" if config.model_type else None),
        base_models=card.base_models or model.base_models,
        datasets=card.datasets or model.datasets,
        published=card.published or model.published,
    )


def _brings_code(model: Model) -> bool:
    return any(file.path.endswith(".py") for file in model.files)


def _packed_beside(model: Model) -> str | None:
    """GPTQ's own file, from before config.json named the method."""
    return "gptq" if any(file.path == "quantize_config.json" for file in model.files) else None
