"""A world of small terminal tasks that a student of 150,000 parameters can learn in minutes."""
