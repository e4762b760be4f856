"""What an agent's commands look at and what they change: shell reading, classes, TOR and its relatives."""
