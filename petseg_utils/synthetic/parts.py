"""Numbers of the parts that solids belong to, shared by skeletons (shape) and coats (colour), and turning frames."""

import numpy as np

TORSO, CHEST, NECK, HEAD, MUZZLE, EAR, INNER_EAR, LEG, PAW, TAIL = range(10)
# From here on a part is bare: it has its own colour instead of the coat's.
EYE, NOSE, MOUTH, TONGUE = range(10, 14)
FIRST_BARE, COUNT = EYE, 14


def turned(yaw: float, nod: float = 0.0, tilt: float = 0.0, look_down: float = 0.0) -> np.ndarray:
    """Return the frame (3, 3) of something that faces the viewer and is then turned; angles in radians.

    Its columns are the directions forward, up and sideways in camera space (x right, y down, z to the viewer).

    Args:
        yaw: around the vertical; 0 faces the viewer, pi / 2 faces the right edge.
        nod: forward direction raised.
        tilt: rolled around the forward direction.
        look_down: how far the camera looks down on the floor; seen so, upper sides turn towards the viewer.
    """
    forward = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    up = np.array([0.0, -1.0, 0.0])
    side = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    forward, up = np.cos(nod) * forward + np.sin(nod) * up, np.cos(nod) * up - np.sin(nod) * forward
    up, side = np.cos(tilt) * up + np.sin(tilt) * side, np.cos(tilt) * side - np.sin(tilt) * up
    cos, sin = np.cos(look_down), np.sin(look_down)
    camera = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    return camera @ np.stack([forward, up, side], axis=1)
