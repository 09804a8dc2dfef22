"""Places where models are listed, one file a place."""
