"""What exists? Models, where they are listed, and what is known of them without weights."""
