"""The choice of a search as a folder that runs without this package, where that can be done."""
