"""Weights from Hugging Face's hub: from the cache, or fetched where the hub answers."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from huggingface_hub import constants


@contextmanager
def hub() -> Iterator[None]:
    """Within the block the libraries fetch weights, or look in the cache only if the hub does not answer.

    Unasked they try ten times, for a minute, with sixty lines of warnings, before they say that there is no network.
    """
    offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or not _reachable()
    try:
        with nothing_logged():
            yield
    finally:
        constants.HF_HUB_OFFLINE = offline


@contextmanager
def nothing_logged() -> Iterator[None]:
    """Within the block no library logs anything."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _reachable() -> bool:
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # the way there is the proxy's business
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname or "", address.port or 443), timeout=5).close()
    except OSError:
        return False
    return True
