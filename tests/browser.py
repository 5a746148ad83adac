"""A Chromium for tests that open a page: offline; every complaint of the page fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from needed import needed
from playwright.sync_api import Browser, Page, Request, sync_playwright

_QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium that ``KL_DRIFT_CHROMIUM`` names, or else the first that is found."""
    path = needed("browser.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser,
    file: Path,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    fragment: str = "",
) -> Iterator[Page]:
    """Open a file offline; fail if it asks for anything else, logs an error or opens a dialog."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    complaints: list[str] = []

    def asked(request: Request) -> None:
        if request.url.partition("#")[0] != file.as_uri():
            complaints.append(f"asked for {request.url[:200]}")

    page = context.new_page()
    page.on("request", asked)
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (complaints.append("opened a dialog"), dialog.dismiss()))
    page.goto(file.as_uri() + fragment)
    yield page
    context.close()
    assert complaints == []
