"""How small is a candidate? One file a measure."""
