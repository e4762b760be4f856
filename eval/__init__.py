"""Student -> trials in Docker -> pass@1 with an interval -> comparison."""
