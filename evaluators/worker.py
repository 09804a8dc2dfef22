"""The child process in which candidates are built, loaded and measured, one at a time.

    python -P -m evaluators.worker REQUEST_DESCRIPTOR REPLY_DESCRIPTOR THREADS MEMORY_LIMIT_MB

It leaves the network and sets its limits while only the standard library is loaded, then serves
requests until the other end hangs up. `worker_process.Worker` is that other end.
"""

import sys

from cache.processes import die_with
from evaluators import isolation


def main(arguments: list[str]) -> None:
    """Isolate this process, then serve."""
    request, reply, threads = (int(argument) for argument in arguments[:3])
    memory_limit_mb = float(arguments[3]) if arguments[3:] else None
    network = isolation.enter(memory_limit_mb=memory_limit_mb)
    die_with(request)

    from evaluators.worker_requests import Server  # numpy starts threads: not before the isolation

    Server(request, reply, threads=threads, network=network).run()


if __name__ == "__main__":
    main(sys.argv[1:])
