"""Draws videos and pictures; as a function it is ``agentlens.render.render.render``."""
