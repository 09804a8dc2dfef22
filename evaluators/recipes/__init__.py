"""How a model is made ready for a runtime, one file a recipe."""
