"""The statistics behind the answer; pure functions, no I/O."""
