"""What a report shows of a candidate besides its figures: where it is right, sure and fast."""
