"""Ellipsoids and tapered capsules in camera space, and the depth buffer that turns them into a picture's surface.

Camera space: x to the right, y down, z towards the viewer, orthographic. Animals and toys are unions of such solids:
each has a closed-form depth above every pixel, so a whole animal is a few dozen small array expressions.
"""

from dataclasses import dataclass, field

import numpy as np

Vector = np.ndarray
FAR = -1e9  # depth of a pixel that no solid covers


@dataclass
class Solids:
    """A growing list of solids; every solid carries the number of the body part it belongs to."""

    parts: list[int] = field(default_factory=list)
    ellipsoids: dict[int, tuple[Vector, np.ndarray]] = field(default_factory=dict)
    capsules: dict[int, tuple[Vector, Vector, float, float, np.ndarray]] = field(default_factory=dict)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)

    def ellipsoid(self, part: int, centre: Vector, radii: tuple[float, float, float], frame: np.ndarray) -> None:
        """Add an ellipsoid; ``frame`` (3, 3) has its axes (along, dorsal, side) as columns."""
        scaled = frame * radii
        extent = np.sqrt((scaled[:2] ** 2).sum(axis=1))
        self.ellipsoids[len(self.parts)] = (centre, (frame / radii).T)
        self._append(part, centre[:2] - extent, centre[:2] + extent)

    def capsule(self, part: int, start: Vector, end: Vector, r_start: float, r_end: float, frame: np.ndarray) -> None:
        """Add a capsule from ``start`` to ``end``; ``frame`` says which side of it is dorsal."""
        self.capsules[len(self.parts)] = (start, end - start, r_start, r_end, frame)
        low = np.minimum(start[:2] - r_start, end[:2] - r_end)
        high = np.maximum(start[:2] + r_start, end[:2] + r_end)
        self._append(part, low, high)

    def _append(self, part: int, low: Vector, high: Vector) -> None:
        self.parts.append(part)
        self.boxes.append((float(low[0]), float(low[1]), float(high[0]), float(high[1])))

    def bounds(self, parts: tuple[int, ...] | None = None) -> np.ndarray:
        """Return (x0, y0, x1, y1) around the solids of ``parts`` (all of them for None)."""
        boxes = np.array([box for part, box in zip(self.parts, self.boxes, strict=True)
                          if parts is None or part in parts])
        return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


@dataclass
class Surface:
    """What the camera sees of some solids; a picture is (S, S), only a window (h, w) of it is kept.

    Attributes:
        window: slices (rows, columns) of the picture.
        shape: (h, w) of the window.
        pixels: int (N,), where solids are seen: places in the flattened window, in rising order.
        depth: float32 (N,), z in model units.
        part: int (N,) body part of each seen pixel.
        normal: float32 (3, N) unit normals in camera space.
        local: float32 (3, N) in [-1, 1]: position along, towards the dorsal side and sideways within the solid.
    """

    window: tuple[slice, slice]
    shape: tuple[int, int]
    pixels: np.ndarray
    depth: np.ndarray
    part: np.ndarray
    normal: np.ndarray
    local: np.ndarray

    def pick(self, picture: np.ndarray) -> np.ndarray:
        """Return the values (N, ...) of ``picture`` (S, S, ...) at the seen pixels."""
        flat = np.ascontiguousarray(picture[self.window]).reshape(-1, *picture.shape[2:])
        return flat[self.pixels]

    def spread(self, values: np.ndarray, elsewhere: float = 0.0) -> np.ndarray:
        """Return ``values`` (N, ...) put to their places in the window, float32 (h, w, ...)."""
        flat = np.full((self.shape[0] * self.shape[1], *values.shape[1:]), elsewhere, np.float32)
        flat[self.pixels] = values
        return flat.reshape(*self.shape, *values.shape[1:])


def see(solids: Solids, scale: float, origin: tuple[float, float], size: int, margin: int) -> Surface:
    """Rasterise ``solids``.

    Args:
        scale: pixels per model unit.
        origin: pixel (x, y) of the model's zero.
        size: S, pixels along the picture's side.
        margin: pixels to keep around the solids.
    """
    x0, y0, x1, y1 = solids.bounds()
    columns, rows = _pixels(x0, x1, scale, origin[0], size, margin), _pixels(y0, y1, scale, origin[1], size, margin)
    xs = ((np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5 - origin[0]) / scale)[None, :]
    ys = ((np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5 - origin[1]) / scale)[:, None]
    depth = np.full((ys.size, xs.size), FAR, np.float32)
    index = np.full((ys.size, xs.size), -1, np.int16)
    corner_x, corner_y = origin[0] - columns.start, origin[1] - rows.start
    for number, (x0, y0, x1, y1) in enumerate(solids.boxes):
        across, down = _pixels(x0, x1, scale, corner_x, xs.size), _pixels(y0, y1, scale, corner_y, ys.size)
        if across.start >= across.stop or down.start >= down.stop:
            continue
        if number in solids.ellipsoids:
            z = _ellipsoid_depth(*solids.ellipsoids[number], xs[:, across], ys[down])
        else:
            z = _capsule_depth(*solids.capsules[number][:4], xs[:, across], ys[down])
        nearer = z > depth[down, across]
        np.copyto(depth[down, across], z, where=nearer)
        np.copyto(index[down, across], np.int16(number), where=nearer)
    pixels = np.flatnonzero(index >= 0)
    nearest = depth.ravel()[pixels]
    row, column = np.divmod(pixels, max(xs.size, 1))
    points = np.stack([xs[0, column], ys[row, 0], nearest])
    part, normal, local = _describe(solids, index.ravel()[pixels].astype(np.intp), points)
    return Surface((rows, columns), index.shape, pixels, nearest, part, normal, local)


def _pixels(low: float, high: float, scale: float, origin: float, size: int, margin: int = 0) -> slice:
    start = min(max(int(low * scale + origin) - margin, 0), size)
    return slice(start, max(min(int(high * scale + origin) + 2 + margin, size), start))


def _ellipsoid_depth(centre: Vector, to_unit: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    a = to_unit.T @ to_unit
    q = a[:2, :2] - np.outer(a[:2, 2], a[:2, 2]) / a[2, 2]
    slope = -a[:2, 2] / a[2, 2]
    dx, dy = xs - np.float32(centre[0]), ys - np.float32(centre[1])
    inside = (1 - np.float32(q[0, 0]) * dx**2) - np.float32(q[1, 1]) * dy**2 - np.float32(2 * q[0, 1]) * dx * dy
    plane = (np.float32(centre[2]) + np.float32(slope[0]) * dx) + np.float32(slope[1]) * dy
    return np.where(inside > 0, plane + np.sqrt(np.abs(inside)) * np.float32(a[2, 2] ** -0.5), np.float32(FAR))


def _capsule_depth(start: Vector, along: Vector, r_start: float, r_end: float,
                   xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    dx, dy = xs - np.float32(start[0]), ys - np.float32(start[1])
    ax, ay, az = (np.float32(value) for value in along)
    flat = ax * ax + ay * ay + np.float32(1e-6)
    t = np.clip(dx * (ax / flat) + dy * (ay / flat), 0, 1)
    radius = np.float32(r_end - r_start) * t + np.float32(r_start)
    inside = radius * radius - (dx - t * ax) ** 2 - (dy - t * ay) ** 2
    return np.where(inside > 0, np.float32(start[2]) + az * t + np.sqrt(np.abs(inside)), np.float32(FAR))


def _describe(solids: Solids, seen: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return part (N,), normal (3, N) and local coordinates (3, N) of ``points`` (3, N) on the solids ``seen`` (N,)."""
    count = len(solids.parts)
    centre, along = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    matrix, radii = np.zeros((count, 3, 3), np.float32), np.ones((count, 2), np.float32)
    for number, (origin, to_unit) in solids.ellipsoids.items():
        centre[number], matrix[number] = origin, to_unit
    for number, (start, axis, r_start, r_end, frame) in solids.capsules.items():
        centre[number], along[number], matrix[number], radii[number] = start, axis, frame.T, (r_start, r_end)

    offset = points - np.take(centre.T, seen, axis=1)
    # Ellipsoids have along = 0 and radii 1, so this block leaves them as they are.
    flat = (along[:, 0] ** 2 + along[:, 1] ** 2 + 1e-6)
    ax, ay, az = np.take(along.T, seen, axis=1)
    t = np.clip((offset[0] * ax + offset[1] * ay) / flat[seen], 0, 1)
    radius = radii[seen, 0] + t * (radii[:, 1] - radii[:, 0])[seen]
    offset -= t * np.stack([ax, ay, az])
    offset /= radius

    m = np.take(matrix.reshape(count, 9).T, seen, axis=1)  # (9, N), row-major 3 x 3
    local = np.stack([m[3 * i] * offset[0] + m[3 * i + 1] * offset[1] + m[3 * i + 2] * offset[2] for i in range(3)])
    normal = np.stack([m[j] * local[0] + m[3 + j] * local[1] + m[6 + j] * local[2] for j in range(3)])
    normal /= np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-6
    is_capsule = np.isin(np.arange(count), list(solids.capsules))
    np.copyto(local[0], 2 * t - 1, where=is_capsule[seen])
    return np.asarray(solids.parts)[seen], normal, local
