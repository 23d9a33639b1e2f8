"""Faulty code after faults seen in public, and a gallery of right code that does not look alike.

    faulty/, right/     files that stand alone, each for one library
    faulty_pieces, other_functions, right_pieces, keras_pieces     their cards
    handle              a piece run as its card says
    tour                a check led through, with its rates

The files are data: nothing imports them.
"""

from verify.museum.piece import Piece, Takes, Witness
from verify.museum.tour import FAULTY, PIECES, RIGHT, Guide, Tour, Visit, alone, tour

__all__ = [
    "FAULTY",
    "PIECES",
    "RIGHT",
    "Guide",
    "Piece",
    "Takes",
    "Tour",
    "Visit",
    "Witness",
    "alone",
    "tour",
]
