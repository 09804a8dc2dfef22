"""How labels are spelled, what they mean, and which output stands for which, found from rows."""
