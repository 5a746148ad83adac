"""Alerts are sent to real sockets of this machine, and their URLs are told to nobody."""

from __future__ import annotations

import logging
import sys

import pytest
from hook import Hook

from kl_drift.alerts.channels import deliver
from kl_drift.errors import MissingExtraError

SECRET = "kh7Tq"  # noqa: S105 - made up, to be looked for


@pytest.mark.slow
def test_an_alert_reaches_every_url() -> None:
    with Hook() as one, Hook() as two:
        assert deliver([one.url, two.url], "drift in x", "dest: KL 0.1") is True
    for hook in (one, two):
        (found,) = hook.received
        assert (found["title"], found["message"]) == ("drift in x", "dest: KL 0.1")


@pytest.mark.slow
def test_a_url_that_refuses_is_logged_without_its_secrets(caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    with Hook(status=500) as hook, Hook() as well:
        urls = [
            hook.url.replace("://", f"://user:{SECRET}@") + f"?token={SECRET}",
            f"nowhere://{SECRET}",
            well.url,
        ]
        assert deliver(urls, "drift in x", "text") is False
    assert len(well.received) == 1  # one that fails does not keep the others from being sent
    said = caplog.text + "".join(capfd.readouterr())
    assert "URL 1" in said
    assert "URL 2" in said
    assert SECRET not in said


def test_apprise_logs_again_afterwards() -> None:
    deliver(["nowhere://x"], "title", "text")
    assert logging.getLogger("apprise").disabled is False


def test_a_missing_extra_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kl-drift\[alerts\]'"):
        deliver(["json://127.0.0.1/"], "title", "text")
