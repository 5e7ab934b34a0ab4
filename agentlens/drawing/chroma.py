"""From RGB pictures to the planes that encoders take."""

from __future__ import annotations

import cv2
import numpy as np


def padded_even(frame: np.ndarray) -> np.ndarray:
    """The frame, uint8 [H, W, 3], with its last row or column once more where they are odd."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)


def yuv420(frame: np.ndarray) -> np.ndarray:
    """Limited-range BT.601 planes of an RGB picture: uint8 [3/2 height, width], Y then U then V.

    Chroma is averaged over 2 x 2 pixels, as libswscale does it and at half its cost (OpenCV's own
    planar conversion takes one pixel of four, which leaves fringes on text).
    """
    height, width = frame.shape[:2]
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    small = cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    full_range = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)
    chroma = cv2.convertScaleAbs(full_range, alpha=224 / 255, beta=128 - 128 * 224 / 255)
    luma, quarter = height * width, height * width // 4
    planes[luma : luma + quarter] = chroma[..., 2].ravel()
    planes[luma + quarter :] = chroma[..., 1].ravel()
    yuv: np.ndarray = planes.reshape(-1, width)
    return yuv
