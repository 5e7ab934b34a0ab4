"""What an agent does and why, in words: attributes of objects, a causal check, sentences.

A sentence says only what an intervention confirmed: see ``description``.
"""
