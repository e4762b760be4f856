"""Whole experiments: one YAML file each, and the worlds some of them bring along."""
