"""A Hub on this machine: what it answers, where it fails on demand, and millions of models."""
