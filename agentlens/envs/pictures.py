"""From pictures to observation frames, as an ``ObservationSpec`` names it: nothing is tabulated.

The pipeline for colour and for worlds without a palette, and the definition that the tabulated one
of ``preprocess`` is tested against.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from agentlens.arrays import check_dtype, check_shape
from agentlens.errors import InvalidArgument
from agentlens.spec import ObservationSpec

CV2_FILTERS = {
    "cv2-area": cv2.INTER_AREA,
    "cv2-linear": cv2.INTER_LINEAR,
    "cv2-nearest": cv2.INTER_NEAREST,
}


class PicturePreprocessor:
    """Turns pictures of one shape into frames of the observation.

    Args:
        spec: the steps.
        shape: (Y, X, 3) of RGB pictures, or (Y, X) of grey ones.

    Raises:
        InvalidArgument: the steps do not fit such pictures.
    """

    def __init__(self, spec: ObservationSpec, shape: tuple[int, ...]) -> None:
        self.spec, self.shape = spec, shape
        self._top, self._bottom, self._left, self._right = spec.screen_rectangle(
            (shape[0], shape[1])
        )
        if self._bottom > shape[0] or self._right > shape[1]:
            raise InvalidArgument(
                f"crop {spec.crop} does not fit pictures of {shape[0]} rows and {shape[1]} columns."
            )
        if spec.grayscale == "ale":
            raise InvalidArgument('grayscale = "ale" is an emulator\'s own: pictures have RGB.')
        colour = len(shape) == 3
        if colour == (spec.channels == 1 and spec.grayscale == "none"):
            raise InvalidArgument(
                f"pictures of shape {shape} with channels = {spec.channels} and grayscale = "
                f"{spec.grayscale!r}: expected RGB pictures to be greyed or kept in 3 channels, "
                'and grey pictures to have 1 channel and grayscale = "none".'
            )

    def plane(self, picture: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """The newest frame of an observation.

        Args:
            picture: uint8, of the shape given.
            partner: the picture that pooling pairs with it; ignored by ``pool = "none"``.

        Returns:
            uint8 [H, W], or [3, H, W] in colour; float32 where the spec keeps floats; not yet
            divided by ``scale_divisor``.

        Raises:
            ShapeError, DtypeError: not such pictures.
        """
        for name, array in (("picture", picture), ("partner", partner)):
            check_shape(name, array, self.shape)
            check_dtype(name, array, "uint8")
        picture, partner = self._cropped(picture), self._cropped(partner)
        if self.spec.pool == "grey":
            values = np.maximum(grey(self.spec, picture), grey(self.spec, partner))
        else:
            values = picture if self.spec.pool == "none" else np.maximum(picture, partner)
            if self.spec.grayscale != "none" and not self.spec.grey_after_resize:
                values = grey(self.spec, values)
        if self.spec.contrast_stretch:
            values = stretched(values)
        plane = rounded(self.spec, resized(self.spec, values))
        return np.ascontiguousarray(plane if plane.ndim == 2 else plane.transpose(2, 0, 1))

    def _cropped(self, picture: np.ndarray) -> np.ndarray:
        return picture[self._top : self._bottom, self._left : self._right]


def grey(spec: ObservationSpec, rgb: np.ndarray) -> np.ndarray:
    """uint8 or float64 [., .] of uint8 [., ., 3], as the spec greys."""
    if spec.grayscale in ("cv2", "cv2-bgr"):
        code = cv2.COLOR_BGR2GRAY if spec.grayscale == "cv2-bgr" else cv2.COLOR_RGB2GRAY
        plain: np.ndarray = cv2.cvtColor(np.ascontiguousarray(rgb), code)
        return plain
    if spec.luma is not None:
        red, green, blue = (rgb[..., i] * weight for i, weight in enumerate(spec.luma))
        values = red + green + blue
    else:
        values = rgb.mean(axis=-1)
    return values if spec.grey_rounding == "float" else to_uint8(values, spec.grey_rounding)


def resized(spec: ObservationSpec, picture: np.ndarray) -> np.ndarray:
    """The picture, [., .] or [., ., 3], in the observation's size."""
    rows, columns = spec.resize
    if picture.shape[:2] == (rows, columns):
        return picture
    if spec.interpolation == "pillow-bilinear":
        image = Image.fromarray(picture if picture.dtype == np.uint8 else picture.astype("f4"))
        return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))
    small: np.ndarray = cv2.resize(
        picture, (columns, rows), interpolation=CV2_FILTERS[spec.interpolation]
    )
    return small


def rounded(spec: ObservationSpec, plane: np.ndarray) -> np.ndarray:
    """A resized picture as it is recorded: greyed if that comes last, rounded, parts zeroed."""
    if spec.grey_after_resize:
        plane = grey(spec, plane)
    if plane.dtype != np.uint8:
        floats = spec.plane_rounding == "float"
        plane = plane.astype(np.float32) if floats else to_uint8(plane, spec.plane_rounding)
    if spec.zero:
        plane = plane.copy()
        for top, bottom, left, right in spec.zero:
            plane[top:bottom, left:right] = 0
    return plane


def stretched(picture: np.ndarray) -> np.ndarray:
    """Minimum to 0 and maximum to 255, rounded half up to uint8; a flat picture becomes 0."""
    values = picture.astype(np.float64)
    low, high = values.min(), values.max()
    scale = 255.0 / (high - low) if high > low else 1.0
    return to_uint8((values - low) * scale, "nearest")


def to_uint8(values: np.ndarray, rounding: str) -> np.ndarray:
    """Floats as uint8, clipped; "nearest" rounds half up, anything else cuts off."""
    offset = 0.5 if rounding == "nearest" else 0.0
    return (values.clip(0, 255) + offset).astype(np.uint8)
