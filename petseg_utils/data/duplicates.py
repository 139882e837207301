"""Near-duplicate photos: candidates by perceptual hash, confirmed by pixels.

A perceptual hash keeps 64 signs of a photo's coarse structure, so all pairs of a data set are compared in a second or
two, whatever the photos' sizes. It says where to look, not what is true: it sees no colour and forgets how strong a
contrast is, and two black cats on two grey sofas may share most of their signs. Only pixels confirm a pair.

Source of the hash: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, as the library
``imagehash`` has it (``phash``).
"""

import cv2
import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = 16  # side of the thumbnails that near-duplicates are found on, in pixels
DUPLICATE_RMSE = 3.0  # grey levels of [0, 255]; two photos closer than this show the same picture
# Signs in which the hashes of two near-duplicates may differ. Among the 27 million pairs of the 7,349 photos of
# Oxford-IIIT Pet at 128 px, a search without the hash finds 38 below DUPLICATE_RMSE: 37 differ in 2 signs or none, one
# in 4. Three times as many lose nothing there and still leave only 251 pairs to compare by pixels.
HASH_LIMIT = 12

_BITS = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)  # NumPy 1 has no bitwise_count
_BLOCK = 256  # hashes compared with all others at a time: 15 MB for 7,349 photos


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink a photo, uint8 (H, W, 3) RGB, to uint8 (16, 16, 3); each pixel is the mean of what it covers."""
    return cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Hash photos by the signs of their 8 x 8 lowest frequencies against the median.

    Args:
        thumbnails: uint8 (N, 16, 16, 3) RGB, see :func:`thumbnail`. Whole photos give nearly the same hashes, but a
            hash of the pixels that will confirm a pair depends on neither size nor aspect ratio.

    Returns:
        uint64 (N,), one bit a sign.
    """
    signs = [imagehash.phash(Image.fromarray(small)).hash.ravel() for small in thumbnails]
    return np.packbits(np.array(signs, dtype=bool).reshape(-1, 64), axis=1).view(np.uint64).ravel()


def hash_candidates(hashes: np.ndarray, limit: int = HASH_LIMIT) -> np.ndarray:
    """Find all pairs of hashes that differ in few bits.

    Args:
        hashes: uint64 (N,).
        limit: the most bits in which a pair may differ, 0 to 64.

    Returns:
        int64 (P, 2) index pairs, first < second, in order.
    """
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        differing = hashes[start : start + _BLOCK, None] ^ hashes[None, start:]  # (B, N - start)
        distance = _BITS[differing.view(np.uint16)].reshape(*differing.shape, 4).sum(axis=-1, dtype=np.uint8)
        rows, columns = np.nonzero(distance <= limit)
        pairs.append(np.stack([rows, columns], axis=1)[rows < columns] + start)
    return np.concatenate(pairs)


def pair_rmse(thumbnails: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Root mean square difference of the photos of each pair.

    Args:
        thumbnails: uint8 (N, 16, 16, 3) RGB.
        pairs: int64 (P, 2) indices.

    Returns:
        float64 (P,), in grey levels, 0 to 255.
    """
    difference = thumbnails[pairs[:, 0]].astype(np.float64) - thumbnails[pairs[:, 1]]
    return np.sqrt((difference**2).mean(axis=(1, 2, 3)))


def near_duplicates(thumbnails: np.ndarray) -> np.ndarray:
    """Find pairs of near-identical photos: hashes at most :data:`HASH_LIMIT` bits apart, pixels closer than
    :data:`DUPLICATE_RMSE`.

    A photo of almost no contrast has signs that are rounding noise, so a pair of such photos is found only if they are
    the same to the pixel.

    Args:
        thumbnails: uint8 (N, 16, 16, 3) RGB, see :func:`thumbnail`.

    Returns:
        int64 (P, 2) index pairs, first < second, in order.
    """
    candidates = hash_candidates(perceptual_hashes(thumbnails))
    return candidates[pair_rmse(thumbnails, candidates) < DUPLICATE_RMSE]


def duplicate_groups(pairs: np.ndarray, n: int) -> np.ndarray:
    """Join pairs that share a photo.

    Args:
        pairs: int64 (P, 2) indices below ``n``.
        n: number of photos.

    Returns:
        int32 (n,), the number of each photo's group; a photo without a near-duplicate is a group of its own.
    """
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]
