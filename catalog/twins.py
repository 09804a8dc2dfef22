"""Models whose weights are the same bytes under several names: one candidate with aliases."""

from collections.abc import Hashable, Iterable
from dataclasses import replace

from catalog.licenses import license_ids
from catalog.model import Model
from catalog.policy import refuse


def merge_twins(models: Iterable[Model]) -> tuple[Model, ...]:
    """The models in their order, twins as one in the place of the first.

    Twins have the same SHA-256 of all weight files and give the same labels in the same way. One
    that may be run gives the name before one that may not, then the clearest licence decides, a
    copy on this machine, and the most downloads.
    """
    groups: dict[Hashable, list[Model]] = {}
    for model in models:
        groups.setdefault(_identity(model), []).append(model)
    return tuple(_merged(group) for group in groups.values())


def _merged(twins: list[Model]) -> Model:
    if len(twins) == 1:
        return twins[0]
    named = min(twins, key=_precedence)
    ids = {id for twin in twins for id in (twin.id, *twin.aliases)}
    return replace(named, aliases=tuple(sorted(ids - {named.id})))


def _identity(model: Model) -> Hashable:
    """Equal for twins; the model's own where the hash of one file is not known."""
    weights = [file.sha256 for file in model.weight_files if file.path.endswith(".safetensors")]
    if not weights or None in weights:
        return model.source, model.id, model.revision
    return frozenset(weights), model.labels, model.architecture, model.task


def _precedence(model: Model) -> tuple[bool, int, bool, int, str]:
    """Smaller for the model that gives its name."""
    return (
        refuse(model) is not None,
        _vagueness(model.license),
        not model.is_local,
        -(model.downloads or 0),
        model.id,
    )


def _vagueness(license: str | None) -> int:
    """0 for one licence, 1 for several, 2 where none is told."""
    n_licenses = len(license_ids(license))
    return min(n_licenses, 2) - 1 if n_licenses else 2
