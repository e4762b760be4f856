"""A finished run's student, made ready for others: its card, a folder that serves, a place on the hub."""
