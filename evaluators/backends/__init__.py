"""What runs a candidate, one file a runtime."""
