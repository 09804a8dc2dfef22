"""What does the user's file say? One file a format; every one gives a Table."""
