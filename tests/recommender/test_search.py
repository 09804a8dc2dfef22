"""The study: whose trials are dead, and that a living search is left alone."""

import os
import platform
import subprocess
import sys

from recommender.search import is_dead


def test_trials_of_an_ended_process_are_dead() -> None:
    """After a kill, its trials are free to be tried again."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_dead(f"{platform.node()}:{ended.pid}")
    assert is_dead(None)


def test_trials_of_a_living_process_are_left_alone() -> None:
    """Two searches on one store do not end each other's trials."""
    assert not is_dead(f"{platform.node()}:{os.getppid()}")
    assert not is_dead("another-host:1")
