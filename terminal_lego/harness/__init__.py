"""Trials: a task, a container, an agent, a verifier, and the record of what happened."""
