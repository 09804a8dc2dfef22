"""The process that downloads, with a real Hub on this machine that goes wrong as planned."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cache.errors import (
    AccessRequired,
    NotFound,
    RecommenderError,
    SourceUnavailable,
    StoreError,
)
from catalog.deliveries import Deliveries
from catalog.downloads import Downloads, repository_folder, snapshot_folder
from catalog.fetcher import Pace, Settings
from catalog.loopback import faults as faults_module
from catalog.loopback.exchange import Answer, Request
from catalog.loopback.faults import (
    Action,
    Fault,
    close,
    corrupt,
    drip,
    gzip_bomb,
    hang,
    redirect,
    status,
    truncate,
)
from catalog.model import File, Model
from catalog.sources.hub import HubSource
from catalog.store import Catalog
from catalog.testing import LoopbackHub
from catalog.untrusted import Unreadable
from evaluators.isolation import worker_environment

Serve = Callable[..., tuple[Deliveries, LoopbackHub]]

WEIGHTS = "model.safetensors"
PATHS = ("config.json", WEIGHTS, "vocab.txt")
CANARY = "hf_canary_1234567890_never_to_be_seen"
QUICK = Pace(least_bytes_per_s=2_000, window_s=0.5, longest_pause_s=0)
GET_WEIGHTS = rf"GET .*/resolve/.*{WEIGHTS}"


@pytest.fixture
def big(zoo: Path, weights_file: Callable[..., bytes]) -> Path:
    """A model of the zoo whose weights take a while at a slow pace."""
    content = weights_file({"head": ("F32", [10_000], 40_000)})
    (zoo / "demo/ant" / WEIGHTS).write_bytes(content)
    return zoo


@pytest.fixture
def model(big: Path) -> Model:
    """That model, described by a Hub that works."""
    with LoopbackHub(big) as hub:
        return HubSource(hub.endpoint, token=False).model("demo/ant")


@pytest.fixture
def serve(big: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts a Hub with faults, and what fetches from it into `cache`."""
    with ExitStack() as stack:

        def start(
            *faults: Fault,
            token: str | bool = False,
            pace: Pace = QUICK,
            gated: Collection[str] = (),
            **options: object,
        ) -> tuple[Deliveries, LoopbackHub]:
            hub = LoopbackHub(big, faults=faults, gated=gated, token=CANARY)
            stack.enter_context(hub)
            settings = Settings(hub.endpoint, token, str(tmp_path / "cache"), pace)
            deliveries = Deliveries(settings, **options)  # type: ignore[arg-type]  # as named
            stack.callback(deliveries.close)
            return deliveries, hub

        yield start


def fault(match: str, action: Action, nth: int | None = None) -> Fault:
    return Fault(match=match, action=action, nth=nth)


def flip(request: Request, right: Answer) -> Answer:
    """One bit of the answer is another one."""
    body = right.body()
    return replace(right, content=body[:-1] + bytes([body[-1] ^ 1]))


def tell(header: str, value: str, request: Request, right: Answer) -> Answer:
    """A header of the answer is another one."""
    return replace(right, headers={**right.headers, header: value})


def partial_files(cache: Path, sha256: str = "") -> list[Path]:
    return list(cache.rglob(f"{sha256}*.incomplete"))


def sha256_of_weights(model: Model) -> str:
    return next(file.sha256 for file in model.files if file.path == WEIGHTS) or ""


def wait_until(is_so: Callable[[], object], *, at_most_s: float = 10.0) -> None:
    deadline = time.monotonic() + at_most_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_hash_is_taken_once_and_remembered(
    serve: Serve, store: Catalog, model: Model, big: Path
) -> None:
    """What the catalog knows to be right needs neither the process nor the network."""
    first, _ = serve(memo=store)
    folder = first.fetch(model, PATHS)
    assert (folder / WEIGHTS).read_bytes() == (big / "demo/ant" / WEIGHTS).read_bytes()
    blob = (folder / WEIGHTS).resolve()
    status = blob.stat()
    assert store.known_sha256(str(blob), status.st_size, status.st_mtime_ns) == blob.name
    again, hub = serve(memo=store)
    assert again.fetch(model, PATHS) == folder
    assert again.pid is None
    assert hub.requests == []


def test_other_tools_find_the_files(serve: Serve, model: Model, tmp_path: Path) -> None:
    """The cache is the Hub's own: the client answers from it without asking."""
    from huggingface_hub import try_to_load_from_cache

    deliveries, _ = serve()
    folder = deliveries.fetch(model, PATHS)
    found = try_to_load_from_cache(
        model.id, WEIGHTS, cache_dir=tmp_path / "cache", revision=model.revision
    )
    assert found == str(folder / WEIGHTS)


def test_a_corrupted_file_is_fetched_again(serve: Serve, model: Model, big: Path) -> None:
    """Other bytes of the right number are noticed, and asked for once more (fault F14)."""
    deliveries, hub = serve(fault(GET_WEIGHTS, corrupt(), nth=1), fault("GET .*vocab", flip, nth=1))
    folder = deliveries.fetch(model, PATHS)
    for path in PATHS:
        assert (folder / path).read_bytes() == (big / "demo/ant" / path).read_bytes()
    asked = [path.rpartition("/")[2] for method, path in hub.requests if method == "GET"]
    assert sorted(asked) == ["config.json", WEIGHTS, WEIGHTS, "vocab.txt", "vocab.txt"]


def test_a_small_file_that_the_disk_spoils_is_fetched_again(serve: Serve, model: Model) -> None:
    """Its git blob id tells; where a catalog has none, as older ones, its size has to do."""
    deliveries, hub = serve()
    place = deliveries.fetch(model, ["vocab.txt"]) / "vocab.txt"
    right = place.read_bytes()
    place.write_bytes(right.upper().replace(b"U", b"V"))
    old = replace(model, files=tuple(replace(file, blob_id=None) for file in model.files))
    n_requests = len(hub.requests)
    deliveries.fetch(old, ["vocab.txt"])
    assert len(hub.requests) == n_requests
    deliveries.fetch(model, ["vocab.txt"])
    assert place.read_bytes() == right


def test_a_wrong_claim_deletes_no_good_file(serve: Serve, model: Model) -> None:
    """The cache is everybody's: a file that is what the Hub named it stays, whoever says else."""
    deliveries, _ = serve()
    folder = deliveries.fetch(model, PATHS)
    lies = [replace(f, sha256="0" * 64) if f.path == WEIGHTS else f for f in model.files]
    sizes = [File(f.path, 7) if f.path == WEIGHTS else f for f in model.files]
    blobs = [replace(f, blob_id="0" * 40) if f.path == "vocab.txt" else f for f in model.files]
    for files in (lies, sizes, blobs):
        with pytest.raises(Unreadable):
            deliveries.fetch(replace(model, files=tuple(files)), PATHS)
        assert all((folder / path).is_file() for path in PATHS)


def test_a_file_that_stays_corrupted_leaves_nothing(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    """It is asked for twice; neither a link nor a blob is left for another tool to load."""
    deliveries, hub = serve(fault(GET_WEIGHTS, corrupt()))
    with pytest.raises(Unreadable, match=r"model\.safetensors has not the SHA-256"):
        deliveries.fetch(model, PATHS)
    assert sum(method == "GET" and WEIGHTS in path for method, path in hub.requests) == 2
    left = [file.name for file in (tmp_path / "cache").rglob("*")]
    assert not {WEIGHTS, sha256_of_weights(model)} & set(left)


def test_a_dripping_download_ends_by_its_pace(serve: Serve, model: Model) -> None:
    """Ten bytes a second are named as such, and the next model comes (fault F03)."""
    deliveries, hub = serve(fault(GET_WEIGHTS.replace(".*/", ".*ant/"), drip(10)))
    other = HubSource(hub.endpoint, token=False).model("demo/bee")
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"1?\d bytes/s, slower than 2,000 bytes/s"):
        deliveries.fetch(model, PATHS)
    assert time.monotonic() - start < 6
    assert (deliveries.fetch(other, PATHS) / WEIGHTS).is_file()


ENDINGS: dict[str, tuple[Action, type[RecommenderError], str]] = {
    "gated": (status(401, {"X-Error-Code": "GatedRepo"}), AccessRequired, "ask for access at"),
    "forbidden": (status(403), AccessRequired, "ask for access at"),
    "legal": (status(451), AccessRequired, "has disabled"),
    "vanished": (status(404, {"X-Error-Code": "RepoNotFound"}), NotFound, "HF_TOKEN"),
    "denied": (status(401), AccessRequired, "check HF_TOKEN"),
    "elsewhere": (status(200, {"X-Repo-Commit": "0" * 40, "ETag": '"x"'}), Unreadable, "commit"),
    "closed": (close(), SourceUnavailable, "go on"),
    "bomb": (gzip_bomb(2_000_000), Unreadable, "compressed"),
}


def test_what_goes_wrong_has_a_name(big: Path, serve: Serve) -> None:
    """Each answer of a Hub ends as the error that it means, one after the other."""
    for name in ENDINGS:
        (big / "demo/ant" / name).write_text("twelve bytes")
    with LoopbackHub(big) as healthy:
        model = HubSource(healthy.endpoint, token=False).model("demo/ant")
    faults = [fault(f"/resolve/.*/{name}", action) for name, (action, _, _) in ENDINGS.items()]
    deliveries, _ = serve(*faults)
    for name, (_, kind, told) in ENDINGS.items():
        with pytest.raises(kind, match=told):
            deliveries.fetch(model, [name])


LIES: dict[str, tuple[str, Action, type[RecommenderError], str]] = {
    "name": ("HEAD", partial(tell, "ETag", '"../../../../../escaped"'), Unreadable, "ETag"),
    "linked": ("HEAD", partial(tell, "X-Linked-Etag", '"/escaped"'), Unreadable, "ETag"),
    "more": ("HEAD", partial(tell, "Content-Length", "13"), Unreadable, "'13' bytes, not 12"),
    "fewer": ("HEAD", partial(tell, "Content-Length", "11"), Unreadable, "'11' bytes, not 12"),
    "long": ("GET", faults_module.replace(b"b" * 13), Unreadable, "larger than"),
    "short": ("GET", faults_module.replace(b"b" * 11), SourceUnavailable, "should be of size 12"),
    "other": ("GET", faults_module.replace(b"b" * 12, {"ETag": '"bb"'}), Unreadable, "git blob id"),
    "bit": ("GET", flip, Unreadable, "git blob id"),
    "down": ("GET", redirect("http://127.1/plain", 302), SourceUnavailable, "leads to 127.1"),
}
"""What a Hub may tell or send that is not what it listed: which request, what comes of it."""


def test_a_hub_that_lies_about_a_file_gets_nothing_onto_the_disk(
    big: Path, serve: Serve, tmp_path: Path
) -> None:
    """Neither another size nor another content, nor a file outside of the cache (fault F16)."""
    for name in LIES:
        (big / "demo/ant" / name).write_text("twelve bytes")
    with LoopbackHub(big) as healthy:
        model = HubSource(healthy.endpoint, token=False).model("demo/ant")
    faults = [fault(f"{method} .*/{name}", act) for name, (method, act, _, _) in LIES.items()]
    deliveries, _ = serve(*faults)
    for name, (_, _, kind, told) in LIES.items():
        with pytest.raises(kind, match=told):
            deliveries.fetch(model, [name])
    repository = repository_folder(tmp_path / "cache", model.id)
    assert not [path for path in (repository / "blobs").glob("*") if path.is_file()]
    assert not list(repository.glob("snapshots/*/*"))
    assert not list(tmp_path.rglob("escaped*"))


def test_passing_faults_are_survived(serve: Serve, model: Model, big: Path) -> None:
    """A refusal that asks for eleven days, a server's error, and a cut connection."""
    deliveries, _ = serve(
        fault("HEAD .*config", status(429, {"Retry-After": "999999"}), nth=1),
        fault("HEAD .*config", status(429, {"Retry-After": "999999"}), nth=2),
        fault("GET .*config", status(503), nth=1),
        fault("HEAD .*vocab", close(), nth=1),
        fault(GET_WEIGHTS, truncate(1000), nth=1),
    )
    start = time.monotonic()
    folder = deliveries.fetch(model, PATHS)
    assert time.monotonic() - start < 15
    assert (folder / WEIGHTS).read_bytes() == (big / "demo/ant" / WEIGHTS).read_bytes()


def test_a_silent_hub_is_given_up(
    serve: Serve, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time-out is enough to know that nobody answers."""
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    deliveries, _ = serve(fault("HEAD", hang(60)))
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match="timed out"):
        deliveries.fetch(model, PATHS)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("path", ["../../escape", "a\\b", "a\0b", "/etc/passwd"])
def test_path_tricks_are_refused_before_any_request(serve: Serve, model: Model, path: str) -> None:
    """Even when the Hub lists such a file (fault F16)."""
    deliveries, hub = serve()
    lured = replace(model, files=(*model.files, File(path, 1)))
    with pytest.raises(NotFound):
        deliveries.fetch(lured, ["vocab.txt", path])
    assert hub.requests == []


def test_two_names_that_differ_in_case_are_refused(serve: Serve, model: Model) -> None:
    """On some disks one would become the other."""
    deliveries, hub = serve()
    lured = replace(model, files=(*model.files, File("VOCAB.txt", 1)))
    with pytest.raises(NotFound, match="only in case"):
        deliveries.fetch(lured, ["vocab.txt", "VOCAB.txt"])
    assert hub.requests == []


def test_killed_in_the_middle_nothing_partial_is_accepted(
    serve: Serve, model: Model, tmp_path: Path, big: Path
) -> None:
    """The model ends with the signal's name, the partial file is gone, a second try gets it."""
    deliveries, _ = serve(fault(GET_WEIGHTS, drip(3000), nth=1))

    def kill() -> None:
        wait_until(lambda: partial_files(tmp_path / "cache", sha256_of_weights(model)))
        assert deliveries.pid is not None
        os.kill(deliveries.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SourceUnavailable, match="signal 9"):
        deliveries.fetch(model, PATHS)
    killer.join()
    assert partial_files(tmp_path / "cache") == []
    place = snapshot_folder(tmp_path / "cache", model.id, model.revision)
    assert not (place / WEIGHTS).exists()
    assert (place / "vocab.txt").is_file()
    deliveries.fetch(model, PATHS)
    assert (place / WEIGHTS).read_bytes() == (big / "demo/ant" / WEIGHTS).read_bytes()


COORDINATOR = """
import sys, threading
from pathlib import Path
from catalog.downloads import Downloads
from catalog.fetcher import Pace
from catalog.sources.hub import HubSource
whole, dripping, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
source = HubSource(dripping, False, folder / "cache", downloads=Downloads(folder / "downloads.db"))
model = HubSource(whole, False).model("demo/ant")
source.prefetch(model, ["config.json", "model.safetensors"])
print(source._deliveries.pid, flush=True)
threading.Event().wait()
"""


def test_it_dies_with_its_coordinator_and_the_rest_is_swept(
    big: Path, model: Model, tmp_path: Path
) -> None:
    """Kill -9 of the coordinator ends it; the next one removes what was left (fault F15)."""
    cache = tmp_path / "cache"
    dripping = LoopbackHub(big, faults=[fault(GET_WEIGHTS, drip(100))])
    with LoopbackHub(big) as hub, dripping:
        places = [hub.endpoint, dripping.endpoint, str(tmp_path)]
        command = [sys.executable, "-c", COORDINATOR, *places]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as coordinator:
            assert coordinator.stdout is not None
            pid = int(coordinator.stdout.readline())
            wait_until(lambda: partial_files(cache, sha256_of_weights(model)))
            coordinator.kill()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), at_most_s=2)
    assert partial_files(cache)
    stranger = repository_folder(cache, "other/model") / "blobs" / "1.incomplete"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"half")
    with Downloads(tmp_path / "downloads.db") as downloads:
        assert downloads.sweep(cache) == 1
        assert [one.paths for one in downloads.fetched(cache)] == [("config.json",)]
    assert partial_files(cache) == [stranger]


def test_of_two_that_fetch_one_model_the_survivor_gets_it(
    big: Path, model: Model, tmp_path: Path
) -> None:
    """It waits for the other, which is killed in the middle; files and account are whole then."""
    cache, listed = tmp_path / "cache", {file.path: file.size_bytes for file in model.files}
    dripping = LoopbackHub(big, faults=[fault(GET_WEIGHTS, drip(100))])
    with ExitStack() as stack:
        hub, slow = stack.enter_context(LoopbackHub(big)), stack.enter_context(dripping)
        downloads = stack.enter_context(Downloads(tmp_path / "downloads.db"))
        command = [sys.executable, "-c", COORDINATOR, hub.endpoint, slow.endpoint, str(tmp_path)]
        survivor = Deliveries(Settings(hub.endpoint, False, str(cache), QUICK), downloads=downloads)
        stack.callback(survivor.close)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
            survivor.fetch(model, ["vocab.txt"])
            wait_until(lambda: partial_files(cache, sha256_of_weights(model)))
            n_before = len(hub.requests)
            assert survivor.prefetch(model, PATHS)
            wait_until(lambda: any(WEIGHTS in path for _, path in hub.requests[n_before:]))
            killed.kill()
        folder = survivor.fetch(model, PATHS)
        for path in PATHS:
            assert (folder / path).read_bytes() == (big / "demo/ant" / path).read_bytes()
        assert downloads.sweep(cache) == 1
        assert partial_files(cache) == []
        (account,) = downloads.fetched(cache)
        assert account.size_bytes == sum(listed[path] for path in PATHS)
        downloads.budget_bytes = account.size_bytes + 1
        assert downloads.begin(cache, ("team/new", "9" * 40), {"weights": 1}) == []


def test_the_token_is_nowhere_but_in_its_own_request(
    serve: Serve, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on a command line, not at another host, not in an error (fault F17).

    The client alone would send it to the host of HF_ENDPOINT, which it trusts.
    """
    _, other = serve()
    monkeypatch.setenv("HF_ENDPOINT", other.endpoint)
    lured, hub = serve(
        fault(f"/resolve/.*{WEIGHTS}", redirect(f"{other.endpoint}/stolen", 302)),
        fault("HEAD .*(vocab|echo)", redirect(f"/echo?{CANARY}")),
        token=CANARY,
        gated=[model.id],
    )
    lured.fetch(model, ["config.json"])
    n_before = len(hub.seen)
    for path in (WEIGHTS, "vocab.txt"):
        with pytest.raises(RecommenderError) as caught:
            lured.fetch(model, [path])
        assert CANARY not in str(caught.value)
    sent = [request.headers.get("Authorization") for request in hub.seen[n_before:]]
    assert set(sent) == {f"Bearer {CANARY}"}
    assert other.seen
    assert not any(CANARY in str(request) for request in other.seen)
    assert CANARY not in Path(f"/proc/{lured.pid}/cmdline").read_text()
    assert CANARY not in repr(Settings(hub.endpoint, CANARY, "cache"))


def test_the_token_is_shown_for_what_is_shut_alone(big: Path, serve: Serve, model: Model) -> None:
    """Who loads a public model need not say who it is; a gated and a private one need the token."""
    (big / "demo/cat/.hub.json").write_text('{"private": true}')
    deliveries, hub = serve(token=CANARY, gated=["demo/bee"])
    source = HubSource(hub.endpoint, token=CANARY)
    shut = [source.model("demo/bee"), source.model("demo/cat")]
    n_before = len(hub.seen)
    for one in (model, *shut):
        deliveries.fetch(one, PATHS)
    tokens = [
        [request.headers.get("Authorization") for request in hub.seen[n_before:]
         if name in request.target]
        for name in ("ant", "bee", "cat")
    ]  # fmt: skip
    assert set(tokens[0]) == {None}
    assert tokens[1:] == [[None] + [f"Bearer {CANARY}"] * 6] * 2


SILENT = """
import sys
from catalog.fetcher import Order, Settings, Wanted
from catalog.sources.hub_fetch import HubFetch
here, commit, cache, token = sys.argv[1:]
for endpoint, token in ((here, None), (here.replace("127.0.0.1", "127.1"), token)):
    order = Order(1, "demo/bee", commit, (Wanted("vocab.txt", 12),))
    print(HubFetch(Settings(endpoint, token, cache)).deliver(order).error)
"""


def test_the_token_is_kept_where_it_must_not_be_sent(big: Path, tmp_path: Path) -> None:
    """An implicit one that the user has forbidden, and any over plain http off this machine."""
    with LoopbackHub(big, gated=["demo/bee"], token=CANARY) as hub:
        commit = HubSource(hub.endpoint, token=CANARY).model("demo/bee").revision
        n_before = len(hub.seen)
        done = subprocess.run(
            [sys.executable, "-c", SILENT, hub.endpoint, commit, str(tmp_path / "c"), CANARY],
            env={**os.environ, "HF_TOKEN": CANARY, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
                 "HF_HUB_DISABLE_TELEMETRY": "1"},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout.split() == ["gated", "gated"], done.stderr
        assert len(hub.seen) > n_before + 1
        assert not any("Authorization" in request.headers for request in hub.seen[n_before:])


def test_a_worker_gets_no_token(tmp_path: Path) -> None:
    """Whatever the coordinator was given by its environment."""
    inherited = {"HF_TOKEN": CANARY, "HUGGING_FACE_HUB_TOKEN": CANARY, "PATH": "/bin"}
    assert CANARY not in str(worker_environment(inherited, tmp_path, threads=1))


FULL_DISK = """
import sys
from catalog.fetcher import Fetcher, Settings, Wanted
fetcher = Fetcher(Settings(sys.argv[1], False, sys.argv[2]))
files = [Wanted("vocab.txt", 12), Wanted("model.safetensors", int(sys.argv[4]))]
found = fetcher.wait(fetcher.send("demo/ant", sys.argv[3], files))
print(found.error, found.reason, sep="|")
"""


def test_a_disk_that_fills_up_in_a_download_is_named(
    big: Path, tmp_path: Path, weights_file: Callable[..., bytes]
) -> None:
    """A real file system of 1 MB: the model ends as too large, and nothing partial stays (F12)."""
    large = weights_file({"head": ("F32", [750_000], 3_000_000)})
    (big / "demo/ant" / WEIGHTS).write_bytes(large)
    cache = tmp_path / "small"
    cache.mkdir()
    mount = f"mount -t tmpfs -o size=1m none {cache}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a file system")
    with LoopbackHub(big) as hub:
        commit = HubSource(hub.endpoint, token=False).model("demo/ant").revision
        then = f'{mount} && exec "$@" && true'
        script = f'{then}; find {cache} -name "*.incomplete"'
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-c", FULL_DISK,
             hub.endpoint, str(cache), commit, str(len(large))],
            capture_output=True, text=True,
        )  # fmt: skip
    assert done.stdout.startswith("disk|the disk is full: demo/ant needs 3 MB"), done
    assert "incomplete" not in done.stdout


READ_ONLY = """
import sys
from catalog.sources.hub import HubSource
from cache.errors import RecommenderError
source = HubSource(sys.argv[1], False, sys.argv[2])
for id in ("demo/ant", "demo/bee"):
    model = source.model(id)
    try:
        folder = source.fetch(model, ["config.json", "model.safetensors"])
        print(id, sorted(path.name for path in folder.iterdir()))
    except RecommenderError as error:
        print(id, type(error).__name__, error)
source.close()
"""


def test_a_read_only_cache_gives_what_it_has(big: Path, tmp_path: Path) -> None:
    """A shared cache that nobody may write to: whole models are read, for others a hint (F13)."""
    cache = tmp_path / "shared"
    cache.mkdir()
    mount = f"mount --bind {cache} {cache} && mount -o remount,ro,bind {cache}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a file system")
    with LoopbackHub(big) as hub:
        source = HubSource(hub.endpoint, False, cache)
        source.fetch(source.model("demo/ant"), ["config.json", WEIGHTS])
        source.close()
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c",
             READ_ONLY, hub.endpoint, str(cache)],
            capture_output=True, text=True,
        )  # fmt: skip
    ant, bee = done.stdout.splitlines()
    assert ant == "demo/ant ['config.json', 'model.safetensors']"
    assert bee.startswith("demo/bee StoreError")
    assert "HF_HOME" in bee


def test_a_folder_that_cannot_be_written_is_named(model: Model, big: Path, tmp_path: Path) -> None:
    """A file in the place of the cache; the message has the way out (fault F13)."""
    (tmp_path / "file").write_text("")
    with LoopbackHub(big) as hub:
        settings = Settings(hub.endpoint, False, str(tmp_path / "file" / "cache"), QUICK)
        with pytest.raises((StoreError, SourceUnavailable), match=r"HF_HOME|go on"):
            Deliveries(settings).fetch(model, PATHS)
