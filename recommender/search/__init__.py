"""The search: which candidate is run next, for how many units, and when it is enough."""
