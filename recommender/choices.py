"""The fixed words that options take, where the command line reads them without the rest."""

DUPLICATES = ("drop", "keep")
MODES = ("auto", "pool", "open")
SAMPLERS = ("cheapest", "tpe", "gp", "nsga2", "random")
"""Who may propose the next contender; all but the first are Optuna's, for comparison."""
