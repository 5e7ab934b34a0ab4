"""Draws videos and pictures; as a function it is ``agentlens.drawing.render.render``."""
