"""What models can be asked to do: one file a task, found by entry point."""
