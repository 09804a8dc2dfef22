"""Is a candidate good enough? One file a task, and the metrics."""
