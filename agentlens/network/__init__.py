"""Inside a policy: its places, what they do on a recording, and what happens when they are changed.

``places`` names them, ``taps`` reads them, ``edits`` changes them; every other file is one
question asked through these three.
"""
