"""Sending an alert: a title and a text to the URLs of mail, chat, pagers and hooks.

Knows apprise. Has never heard of columns, divergences or whoever sends. A URL holds the secrets of
its service: it reaches apprise and nothing else, no log, no message, no error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kl_drift.errors import MissingExtraError

_log = logging.getLogger(__name__)


def deliver(urls: Sequence[str], title: str, text: str) -> bool:
    """Send a text to every URL; say whether all of them took it.

    What goes wrong is logged without the URL and never raised: an alert that cannot be sent must
    not change what it was about.

    Parameters
    ----------
    urls : sequence of str
        Of `apprise <https://github.com/caronc/apprise>`_: ``slack://…``, ``mailto://…``,
        ``json://host:port/path``.
    title, text : str
        Plain text.

    Raises
    ------
    MissingExtraError
        If apprise is not installed.
    """
    taken = [_sent(place, url, title, text) for place, url in enumerate(urls, start=1)]
    return all(taken)


def _sent(place: int, url: str, title: str, text: str) -> bool:
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise MissingExtraError("alerts", "sending alerts") from error
    with _unheard():
        try:
            service = apprise.Apprise()
            sent = bool(service.add(url)) and bool(
                service.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT)
            )
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, with the URL in it
            _log.error("alert %r: URL %d raised %s", title, place, type(error).__name__)
            return False
    if not sent:
        _log.error("alert %r: URL %d is not one that apprise knows, or refused it", title, place)
    return sent


@contextmanager
def _unheard() -> Iterator[None]:
    """Silence apprise while it sends: what it logs may hold the URL or a part of it."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
