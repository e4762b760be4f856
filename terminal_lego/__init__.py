"""Student distillation of terminal agents: trajectories of a teacher in, a measured student out."""

__version__ = "0.1.0"
