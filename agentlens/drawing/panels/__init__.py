"""Video panels, one file each; each module exports ``PANEL``, a final frozen dataclass.

A panel has the fields ``size`` (width, height) and whatever else it needs from the layout; its
``for_scene(scene, width)`` gives the panels it would make of a scene in a column of that width
(none where the scene has nothing for it), which is how ``panels=`` arranges them.
"""
