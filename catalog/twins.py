"""Models that answer alike under several names, since their files are the same: one candidate."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from catalog.licenses import license_ids
from catalog.model import File, Model
from catalog.plan import INDEX
from catalog.policy import refuse
from catalog.repository import CONFIG, IRRELEVANT_ENDINGS

UNREAD_ENDINGS = (*IRRELEVANT_ENDINGS, ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".ipynb")
UNREAD = frozenset(
    {
        "LICENSE", "LICENSE.txt", "NOTICE", "trainer_state.json", "training_args.json",
        "all_results.json", "eval_results.json", "train_results.json", "test_results.json",
    }
)  # fmt: skip
"""What training and publishing leave behind. A file that is not known to be unread may decide
answers: a vocabulary, a preprocessor, a graph."""


def merge_twins(models: Iterable[Model]) -> tuple[Model, ...]:
    """The models in their order, twins as one in the place of the first, as `merged` names them."""
    return tuple(merged(group) for group in twin_groups(models))


def twin_groups(models: Iterable[Model]) -> tuple[tuple[Model, ...], ...]:
    """The models in their order, each with its twins.

    Twins have the same weights, labels, architecture and task, and all other files that may decide
    an answer are the same, by the hashes that are known of them; models of which one is not known
    are no twins. Of config.json what decides no answer may differ.
    """
    groups: dict[Hashable, list[list[Model]]] = {}
    ordered: list[list[Model]] = []
    for model in models:
        alike = groups.setdefault(_weights(model), [])
        own = next((group for group in alike if _same_files(group[0], model)), None)
        if own is None:
            alike.append([model])
            ordered.append(alike[-1])
        else:
            own.append(model)
    return tuple(map(tuple, ordered))


def merged(twins: Sequence[Model]) -> Model:
    """The twin that gives the name, with the others' ids as aliases.

    One that may be run goes before one that may not, then the clearest licence decides, a copy on
    this machine, and the most downloads.
    """
    if len(twins) == 1:
        return twins[0]
    named = min(twins, key=_precedence)
    ids = {id for twin in twins for id in (twin.id, *twin.aliases)}
    return replace(named, aliases=tuple(sorted(ids - {named.id})))


def _weights(model: Model) -> Hashable:
    """Equal for models with the same weights; the model's own where a hash is not known."""
    weights = [file.sha256 for file in model.weight_files if file.path.endswith(".safetensors")]
    if not weights or None in weights:
        return model.source, model.id, model.revision
    return (
        frozenset(weights), model.labels, frozenset(model.label2id.items()),
        model.architecture, model.task,
    )  # fmt: skip


def _same_files(one: Model, other: Model) -> bool:
    """Whether all files besides the weights are known to be the same, as far as they may decide."""
    ours, theirs = _deciding(one), _deciding(other)
    if ours.keys() != theirs.keys():
        return False
    return all(
        _same_content(file, theirs[path]) or (path == CONFIG and _same_config(one, other))
        for path, file in ours.items()
    )


def _deciding(model: Model) -> dict[str, File]:
    """The files by path, without the weights, their index and what is known to be unread."""
    weights = {file.path for file in model.weight_files} | {INDEX}
    return {
        file.path: file
        for file in model.files
        if file.path not in weights | UNREAD
        if not file.path.endswith(UNREAD_ENDINGS)
        if not any(part.startswith(".") for part in file.path.split("/"))
    }


def _same_content(one: File, other: File) -> bool:
    """By SHA-256 or by git's id: a Hub tells one of them, so one of each tells nothing."""
    if one.sha256 is not None and other.sha256 is not None:
        return one.sha256 == other.sha256
    return one.blob_id is not None and one.blob_id == other.blob_id


def _same_config(one: Model, other: Model) -> bool:
    return one.config_digest is not None and one.config_digest == other.config_digest


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
