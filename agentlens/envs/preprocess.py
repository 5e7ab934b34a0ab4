"""From screens to observation planes, bit for bit as an ``ObservationSpec`` names it.

Everything up to the resize is a function of one pixel's palette index, or of two where screens
are pooled; so it is tabulated once for a palette, and a plane costs a look-up and a
resize: where the resize allows it, of the rows alone that changed.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from agentlens.arrays import check_dtype, check_shape
from agentlens.envs.bands import Bands, resizes_by_bands
from agentlens.envs.base import Environment
from agentlens.envs.pictures import PicturePreprocessor, grey, resized, rounded, stretched
from agentlens.errors import InvalidArgument
from agentlens.palette import Palette
from agentlens.spec import ObservationSpec


class Preprocessor:
    """Turns palette screens into planes; holds the tables of its palette's latest version."""

    def __init__(
        self, spec: ObservationSpec, screen_shape: tuple[int, ...], palette: Palette
    ) -> None:
        """Prepare for one game.

        Raises:
            InvalidArgument: the crop does not fit the screen.
        """
        self._top, self._bottom, self._left, self._right = spec.screen_rectangle(
            (screen_shape[0], screen_shape[1])
        )
        if self._bottom > screen_shape[0] or self._right > screen_shape[1]:
            raise InvalidArgument(
                f"crop {spec.crop} does not fit the game's screen of {screen_shape[0]} rows and "
                f"{screen_shape[1]} columns."
            )
        self.spec, self.screen_shape, self.palette = spec, screen_shape, palette
        self._version = -1
        self._bands: Bands | None = None
        self._single: np.ndarray = np.zeros(0)
        self._pairs: np.ndarray = np.zeros(0)

    def plane(self, screen: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """The newest plane of an observation.

        Args:
            screen: uint8 [Y, X] palette indices, the last screen of a decision.
            partner: the screen that pooling pairs with it: one frame earlier, or the previous
                decision's last for ``pool = "previous_decision"``; ``screen`` itself where there
                is nothing to pool. Ignored by ``pool = "none"``.

        Returns:
            uint8 [H, W], or float32 where the spec keeps floats; not yet divided by
            ``scale_divisor``.

        Raises:
            ShapeError, DtypeError: not screens of this game.
        """
        for name, array in (("screen", screen), ("partner", partner)):
            if array.shape != self.screen_shape or array.dtype != np.uint8:
                check_shape(name, array, self.screen_shape)
                check_dtype(name, array, "uint8")
        if self._version != self.palette.version:
            self._tabulate()
        screen = screen[self._top : self._bottom, self._left : self._right]
        partner = partner[self._top : self._bottom, self._left : self._right]
        if self._bands is not None:
            where, (screen, partner) = self._bands.changed(screen, partner)
            return self._bands.update(where, self._look_up(screen, partner))
        picture = self._look_up(screen, partner)
        if self.spec.contrast_stretch:
            picture = stretched(picture)
        return rounded(self.spec, resized(self.spec, picture))

    def _look_up(self, screen: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """Grey [Y, X], or RGB [Y, X, 3] where greying comes after the resize."""
        picture: np.ndarray
        if self.spec.grey_after_resize:
            picture = self.palette.rgb[screen]
            if self.spec.pool != "none":
                np.maximum(picture, self.palette.rgb[partner], out=picture)
            return picture
        picture = cv2.LUT(screen, self._single)
        if self.spec.pool != "none":
            self._pool(picture, screen, partner)
        return picture

    def _pool(self, picture: np.ndarray, screen: np.ndarray, partner: np.ndarray) -> None:
        """Put the grey of two pooled pixels where the screens differ, which is in few places."""
        # Eight pixels at a time: an eighth of the answers to go through.
        width = 8 if screen.size % 8 == 0 else 1
        new, old = (pixels.reshape(-1).view(f"u{width}") for pixels in (screen, partner))
        changed = (new != old).nonzero()[0]
        if len(changed):
            pairs = old.take(changed).view(np.uint8), new.take(changed).view(np.uint8)
            picture.reshape(-1, width)[changed] = self._pairs[pairs].reshape(-1, width)

    def _tabulate(self) -> None:
        """Grey of every index, and of every pair of indices, for what the palette knows by now."""
        self._version = self.palette.version
        rgb, spec = self.palette.rgb, self.spec
        if self.spec.grey_after_resize:
            return
        if self.spec.grayscale == "ale":
            self._single = self.palette.grey.copy()
        else:
            self._single = grey(spec, rgb[None])[0]
        if self.spec.pool == "grey":
            self._pairs = np.maximum.outer(self._single, self._single)
        elif self.spec.pool != "none":
            if self.spec.grayscale == "ale":
                raise InvalidArgument(
                    'grayscale = "ale" greys the emulator\'s own screens: use pool = "grey" or '
                    '"none" with it.'
                )
            self._pairs = grey(spec, np.maximum(rgb[:, None], rgb[None, :]))
        self._bands = self._new_bands()

    def _new_bands(self) -> Bands | None:
        """``None`` where a plane is more than the area resize of a grey uint8 picture."""
        spec, shape = self.spec, (self._bottom - self._top, self._right - self._left)
        if (
            spec.interpolation != "cv2-area"
            or spec.contrast_stretch
            or spec.zero
            or self._single.dtype != np.uint8
            or shape == spec.resize
            or not resizes_by_bands(shape, spec.resize)
        ):
            return None
        return Bands(shape, spec.resize)


class ColourPreprocessor:
    """Turns palette screens into colour frames; arguments and errors as ``PicturePreprocessor``."""

    def __init__(
        self, spec: ObservationSpec, screen_shape: tuple[int, ...], palette: Palette
    ) -> None:
        self._palette = palette
        self._pictures = PicturePreprocessor(spec, (*screen_shape, 3))

    def plane(self, screen: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """The newest frame: see ``PicturePreprocessor.plane``; screens are palette indices."""
        rgb = self._palette.to_rgb
        return self._pictures.plane(rgb(screen), rgb(partner))


class FramePreprocessor(Protocol):
    """What turns the pictures of a world into frames of the observation."""

    def plane(self, screen: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """The newest frame of an observation; see ``PicturePreprocessor.plane``."""


def preprocessor(spec: ObservationSpec, environment: Environment) -> FramePreprocessor:
    """What turns an environment's screens, or its own images, into frames.

    Raises:
        InvalidArgument: the steps do not fit its pictures; it has no image of its own.
    """
    if spec.source == "environment":
        shape = environment.observation_shape
        if shape is None:
            raise InvalidArgument(
                'source = "environment": this world has no image of its own; use "screen".'
            )
        return PicturePreprocessor(spec, shape)
    if environment.palette is None:
        return PicturePreprocessor(spec, environment.screen_shape)
    kind = Preprocessor if spec.channels == 1 else ColourPreprocessor
    return kind(spec, environment.screen_shape, environment.palette)
