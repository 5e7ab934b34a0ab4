"""Masks found by optimisation: one problem with switches, solved frame by frame or by a network.

    o' = o + m * (r - o),   m = 1 where the observation is replaced by the fill r

``problem`` says what is wanted of a mask, ``fills`` what stands in the hidden part, ``relaxation``
how a mask is made of free numbers, ``loss`` how good it is, ``solver`` finds it for each frame,
``network`` for any frame at once.
"""
