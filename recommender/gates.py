"""What keeps a model or a candidate out before any byte of it is downloaded, and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from catalog.licenses import Lookup, commercial_problem, license_ids
from catalog.model import Model
from catalog.policy import is_unscanned, refuse
from evaluators.candidate import Candidate
from evaluators.measurement import State
from recommender.evidence.weights import trained_on
from recommender.footprint import predicted_peak_mb
from recommender.query import Query
from recommender.room import Room

Barred = tuple[State, str]
"""How something that is turned down ends, and why."""

NVIDIA = Path("/proc/driver/nvidia/version")
"""There where the driver of an NVIDIA GPU is loaded."""

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Needs:
    """What a quantised format is loaded with."""

    libraries: tuple[str, ...] = ()
    cuda: bool = False


QUANTISED: Mapping[str, Needs] = MappingProxyType(
    {
        "gptq": Needs(("gptqmodel", "optimum")),
        "awq": Needs(("gptqmodel", "accelerate")),
        "bitsandbytes": Needs(("bitsandbytes", "accelerate")),
        "fp8": Needs(("accelerate",), cuda=True),
        "fbgemm_fp8": Needs(("fbgemm_gpu", "accelerate"), cuda=True),
        "mxfp4": Needs(("kernels", "triton", "accelerate")),
        "compressed-tensors": Needs(("compressed_tensors",)),
        "torchao": Needs(("torchao",)),
        "hqq": Needs(("hqq",)),
        "aqlm": Needs(("aqlm",), cuda=True),
        "eetq": Needs(("kernels",), cuda=True),
    }
)
"""By `quant_method` of config.json, as the quantizers of transformers 5.23 check it."""


def _nobody(id: str) -> Model | None:
    return None


def _not_there(candidate: Candidate) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Gates:
    """What a search knows of this machine and of the catalog when it turns models down.

    `lookup` finds base models, `own_data` are the names of the rows' data set, `max_download_mb`
    is the download budget of this search, `disk_budget_mb` what downloaded models may take at all.
    A candidate that is `on_disk` needs neither a download nor a disk.
    """

    room: Room = Room()  # noqa: RUF009  # frozen
    lookup: Lookup = _nobody
    own_data: frozenset[str] = frozenset()
    max_download_mb: float | None = None
    disk_budget_mb: float | None = None
    on_disk: Callable[[Candidate], bool] = _not_there

    def bar_model(self, model: Model, query: Query) -> Barred | None:
        """Why no candidate of a model may be tried, or None."""
        refused = refuse(model)
        if refused is not None:
            return State(refused.state), refused.reason
        if model.task is not None and model.task not in query.tags:
            return State.UNSUPPORTED, f"its task is {model.task}"
        return self._bar_license(model, query) or bar_quantised(model)

    def bar_candidate(self, candidate: Candidate) -> Barred | None:
        """Why a candidate is too large for this machine's memory, or None."""
        return self._bar_memory(candidate)

    def bar_now(self, candidate: Candidate) -> Barred | None:
        """Why a candidate is beyond this search's budgets or what the disk has free, or None.

        The reasons hold no figure that changes from one hour to the next: they enter the key under
        which an answer is remembered.
        """
        return self._bar_disk(candidate)

    def warnings(self, models: Sequence[Model], candidates: Sequence[Candidate]) -> list[str]:
        """What does not keep a candidate out, and its reader should know."""
        return [
            *contamination(models, self.own_data),
            *lying_cards(models),
            *not_scanned(models),
            *self._short_of_memory(candidates),
        ]

    def _bar_license(self, model: Model, query: Query) -> Barred | None:
        passes = query.allow_unknown_license and not license_ids(model.license)
        for requirement in query.licenses:
            if not (requirement.allows_license(model.license) or passes):
                found = model.license or "unknown"
                return State.OVER_LIMIT, f"licence {found}; {requirement} asked"
        if not query.commercial:
            return None
        problem = commercial_problem(
            model, self.lookup,
            allow_unknown=query.allow_unknown_license, allowed=query.allowed_licenses,
        )  # fmt: skip
        return (State.OVER_LIMIT, problem) if problem else None

    def _bar_memory(self, candidate: Candidate) -> Barred | None:
        peak_mb, safe_mb = _peak_mb(candidate), self.room.safe_memory_mb
        if safe_mb is None or peak_mb <= safe_mb:
            return None
        reason = (
            f"it would take about {peak_mb:,.0f} MB of memory; of this machine's "
            f"{self.room.memory_mb:,.0f} MB, {safe_mb:,.0f} MB are safe to use"
        )
        return State.OVER_LIMIT, reason

    def _bar_disk(self, candidate: Candidate) -> Barred | None:
        download_mb, budget_mb = to_download_mb(candidate), self.disk_budget_mb
        if self.on_disk(candidate):
            return None
        limit_mb = self.max_download_mb
        if limit_mb is not None and download_mb > limit_mb:
            reason = f"{download_mb:,.3g} MB to download; --max-download {limit_mb:g} MB"
            return State.SKIPPED_BY_BUDGET, reason
        if budget_mb is not None and download_mb > budget_mb:
            reason = f"{download_mb:,.3g} MB to download; the disk budget is {budget_mb:,.0f} MB"
            return State.OVER_LIMIT, reason
        disk_mb, spare_mb = disk_needed_mb(candidate), self.room.spare_disk_mb
        if spare_mb is not None and disk_mb > spare_mb:
            return State.OVER_LIMIT, f"it takes {disk_mb:,.0f} MB of disk, more than is free"
        return None

    def _short_of_memory(self, candidates: Sequence[Candidate]) -> list[str]:
        safe_mb = self.room.safe_available_mb
        if safe_mb is None:
            return []
        short = [c for c in candidates if _peak_mb(c) > safe_mb]
        if not short:
            return []
        largest = max(short, key=_peak_mb)
        return [
            f"memory is short at the moment: {self.room.available_mb:,.0f} MB are available, and "
            f"{len(short)} candidates may take more than {safe_mb:,.0f} MB, most of all "
            f"{largest.name}: about {_peak_mb(largest):,.0f} MB"
        ]


NO_GATES = Gates()


def bar_quantised(model: Model) -> Barred | None:
    """Why weights in a quantised format cannot be run here, or None for plain weights."""
    method = model.quantization
    if method is None:
        return None
    lacking = lacks(QUANTISED.get(method, Needs()))
    reason = f"its weights are quantised as {method}, which no recipe serves"
    if lacking:
        reason += f"; besides, this machine lacks {' and '.join(lacking)}"
    return State.UNSUPPORTED, reason


def lacks(needs: Needs) -> list[str]:
    """Which of the libraries are not installed, and CUDA where there is none."""
    missing = [name for name in needs.libraries if find_spec(name) is None]
    return [*(["CUDA"] if needs.cuda and not NVIDIA.is_file() else []), *missing]


def contamination(models: Iterable[Model], own_data: frozenset[str]) -> list[str]:
    """A warning for models whose cards name the rows' data set as training data (fault F39)."""
    named = [(model, trained_on(model, own_data)) for model in models]
    found = [f"{model.id} ({data})" for model, data in named if data is not None]
    if not found:
        return []
    return [
        f"may have been trained on these very rows, so that their quality here says little about "
        f"new ones: {_first_of(found)}"
    ]


def lying_cards(models: Iterable[Model]) -> list[str]:
    """A warning for models whose files hold other weights than the Hub tells (fault F10)."""
    found = [
        f"{model.id} ({model.told_parameters:,} told, {model.n_parameters or 0:,} found)"
        for model in models
        if model.told_parameters is not None
    ]
    if not found:
        return []
    return [f"the Hub tells a wrong number of parameters for {_first_of(found)}"]


def not_scanned(models: Iterable[Model]) -> list[str]:
    """A warning for models of which nobody knows how the Hub's security scan ended."""
    found = [model.id for model in models if is_unscanned(model)]
    opened = "only their safetensors or ONNX files are opened"
    return [f"not scanned by the Hub: {_first_of(found)} ({opened})"] if found else []


def to_download_mb(candidate: Candidate) -> float:
    """What a candidate would download: nothing where its files are in a folder."""
    return 0.0 if candidate.model.is_local else candidate.download_mb


def disk_needed_mb(candidate: Candidate) -> float:
    """What fetching and building a candidate writes, an exported graph in float32 included."""
    exported = candidate.recipe.backend != "torch" and candidate.recipe.file is None
    graph_mb = 4 * (candidate.model.n_parameters or 0) / 1e6 if exported else 0.0
    return to_download_mb(candidate) + candidate.predicted_size_mb + graph_mb


def _first_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _peak_mb(candidate: Candidate) -> float:
    return predicted_peak_mb(candidate.model, candidate.recipe)
