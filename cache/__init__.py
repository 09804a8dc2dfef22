"""What do we already know? Both stores on disk, their keys and their errors."""
