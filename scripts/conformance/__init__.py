"""Compare the warehouse's engines: every model on each of them, from the same landing zone, row by row."""
