"""Comparison measures, one file each; see ``agentlens.comparison.measure``."""
