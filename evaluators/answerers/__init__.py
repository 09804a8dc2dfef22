"""Loaded candidates at work: requests in, answers out, one file a kind of answer."""
