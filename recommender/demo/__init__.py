"""What `recommender demo` searches: a zoo of small models, and tweets that none of them saw."""

from pathlib import Path

ZOO = Path(__file__).with_name("zoo")
