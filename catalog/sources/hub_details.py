"""A model's full description from a Hub: what the API, its files and their headers tell."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any  # the Hub's JSON
from urllib.parse import quote

from cache.errors import AccessRequired, NotFound
from catalog.card import CardFacts, summary
from catalog.config import ConfigFacts, config_digest
from catalog.hub_rows import COMMIT, read_file
from catalog.listed_rows import read_listed
from catalog.metadata import describe
from catalog.model import File, Model
from catalog.plan import INDEX
from catalog.policy import Refusal
from catalog.sources.hub_client import Disabled, Failing, Gone, HubClient
from catalog.untrusted import Unreadable, count, mapping, objects, parse_object, text
from catalog.weights import LENGTH_BYTES, header_length, parse_index, parse_parameters

FIRST_HEADER_BYTES = 50_000  # most safetensors headers are shorter: one request is enough
CARD_BYTES = 60_000  # read of README.md for its first paragraph
ASKED = (("blobs", "true"), ("securityStatus", "true"))
FINDINGS_SHOWN = 3


class HubDetails:
    """Asks a Hub for one model at a time; any thread may ask."""

    def __init__(self, client: HubClient, name: str) -> None:
        self._client = client
        self.name = name
        """As models carry it in `source`."""

    def describe(self, listed: Model) -> Model | Refusal:
        """The model of a listing, at its commit; its id is another where it was renamed.

        A Refusal where that fails for this model alone: `not found` where the Hub says that it has
        no such repository, or hides it from us. Raises SourceUnavailable.
        """
        try:
            return self._at_listed_commit(listed)
        except AccessRequired as error:
            is_shut = isinstance(error, Disabled)
            return replace(listed, disabled=is_shut, gated=not is_shut)
        except Gone as error:
            return Refusal(listed.id, "not found", str(error))
        except (NotFound, Failing) as error:
            return Refusal(listed.id, "unreachable", str(error))
        except Unreadable as error:
            return Refusal(listed.id, "corrupt", str(error))

    def model(self, id: str, revision: str | None = None) -> Model:
        """One model, pinned. Raises NotFound, AccessRequired, SourceUnavailable or Unreadable."""
        pinned = f"/revision/{quote(revision, safe='')}" if revision else ""
        info = mapping(self._client.json(f"/api/models/{id}{pinned}", ASKED, repository=id))
        model = read_info(info, self.name)
        model = replace(model, summary=self._summary(model))
        try:
            config = self._config(model)
            model = describe(model, ConfigFacts.parse(config), CardFacts())
            model = replace(model, config_digest=config_digest(config))
            return self._with_weights(model, info)
        except AccessRequired:  # the Hub's excerpt of the config stays public
            excerpt = ConfigFacts.parse(mapping(info.get("config")))
            return replace(describe(model, excerpt, CardFacts()), gated=True)

    def _at_listed_commit(self, listed: Model) -> Model:
        if not COMMIT.fullmatch(listed.revision):
            return self.model(listed.id)
        try:
            return self.model(listed.id, listed.revision)
        except Gone:
            raise
        except NotFound:  # perhaps the commit alone is gone: the history was written anew
            return self.model(listed.id)

    def _summary(self, model: Model) -> str | None:
        card = next((file for file in model.files if file.path == "README.md"), None)
        if card is None or not card.size_bytes:
            return None
        span = (0, min(card.size_bytes, CARD_BYTES))
        try:
            start = self._client.file(model.id, model.revision, card.path, span=span)
        except (AccessRequired, NotFound, Failing):  # a model runs without its card
            return None
        return summary(start.decode("utf-8", "replace"))

    def _config(self, model: Model) -> Mapping[str, Any]:
        if not model.config_files:
            return {}
        return parse_object(self._client.file(model.id, model.revision, "config.json"))

    def _with_weights(self, model: Model, info: Mapping[str, Any]) -> Model:
        """The model with its shards and with the parameters that the files hold (fault F10)."""
        if not model.config_files and not model.weight_files:  # nothing opens that could tell
            return replace(model, gated=bool(info.get("gated")))
        model = replace(model, shards=self._shards(model))
        weights = [file for file in model.weight_files if file.path.endswith(".safetensors")]
        if not weights:
            return model
        found = self._header_parameters(model, weights)
        told = sum(model.parameters.values()) or count(
            mapping(info.get("safetensors")).get("total")
        )
        is_lie = told is not None and told != sum(found.values())
        return replace(model, parameters=found, told_parameters=told if is_lie else None)

    def _shards(self, model: Model) -> tuple[str, ...]:
        if not any(file.path == INDEX for file in model.weight_files):
            return ()
        index = self._client.file(model.id, model.revision, INDEX)
        return parse_index(index, {file.path for file in model.files})

    def _header_parameters(self, model: Model, weights: list[File]) -> dict[str, int]:
        """Values by dtype, from the first bytes of each file of weights."""
        empty = next((file.path for file in weights if file.size_bytes <= LENGTH_BYTES), None)
        if empty:
            raise Unreadable(f"{empty} is empty")
        total: Counter[str] = Counter()
        for file in weights:
            header = self._header(model, file)
            n_value_bytes = file.size_bytes - LENGTH_BYTES - len(header)
            total.update(parse_parameters(header, n_value_bytes=n_value_bytes))
        return dict(total)

    def _header(self, model: Model, file: File) -> bytes:
        span = (0, min(FIRST_HEADER_BYTES, file.size_bytes))
        first = self._client.file(model.id, model.revision, file.path, span=span)
        end = LENGTH_BYTES + header_length(first)
        if end <= len(first):
            return first[LENGTH_BYTES:end]
        if end > file.size_bytes:
            raise Unreadable(f"{file.path}: a header of {end:,} bytes in {file.size_bytes:,}")
        span = (LENGTH_BYTES, end)
        return self._client.file(model.id, model.revision, file.path, span=span)


def read_info(info: Mapping[str, Any], source: str) -> Model:
    """What the API tells of a model, before its files are read. Raises Unreadable."""
    listed = read_listed(info, 0, source)
    if isinstance(listed, Refusal):
        raise Unreadable(listed.reason)
    if not listed.revision:
        raise Unreadable(f"the Hub gave no commit hash but {str(info.get('sha'))[:60]!a}")
    files = tuple(read_file(sibling) for sibling in objects(info.get("siblings")))
    return replace(listed, described=True, gated=False, files=files, security=security(info))


def security(info: Mapping[str, Any]) -> str | None:
    """What the Hub's scan found, the worst first; `safe`, or None where it has not ended.

    `securityRepoStatus` holds `scansDone` and `filesWithIssues`, each with `path` and `level`.
    """
    status = mapping(info.get("securityRepoStatus"))
    told = status.get("filesWithIssues")
    if told and not objects(told):
        return "flagged in a form that cannot be read"
    issues = [(text(issue.get("level")) or "flagged", issue.get("path")) for issue in objects(told)]
    ordered = sorted(issues, key=lambda issue: issue[0] != "unsafe")
    found = [f"{ascii(level)[1:-1][:40]}: {ascii(path)[1:-1][:120]}" for level, path in ordered]
    more = [f"{len(found) - FINDINGS_SHOWN} more"] if len(found) > FINDINGS_SHOWN else []
    if found:
        return "; ".join(found[:FINDINGS_SHOWN] + more)
    return "safe" if status.get("scansDone") is True else None
