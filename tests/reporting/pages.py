"""Reading a page, as a parser does and as a real browser does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from matplotlib.image import imread

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no chromium here")
HOSTILE = [
    "<script>alert(1)</script>",
    "$\\frac{",
    '" onload="x',
    "a\nb\u202ec",
    "{{ 7*7 }}",
    "]]>-->",
    "#010301",
    "&lt;",
]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not nest."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(" ".join(data.split()))

    def named(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def assert_self_contained(source):
    """No script, nothing fetched, and a policy that forbids both."""
    page = Page(source)
    policy = next(meta["content"] for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "script" not in policy
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "action")]
        assert all(value.startswith("#") for name, value in attrs.items() if name.endswith("href"))
    assert "@import" not in source and not re.search(r"url\((?!#)", source)


def assert_ids_resolve(source):
    """Ids are unique and every reference has one."""
    page = Page(source)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = {value[1:] for _, attrs in page.tags for name, value in attrs.items() if name.endswith("href")}
    used |= {
        found for _, attrs in page.tags for value in attrs.values() for found in re.findall(r"url\(#([^)]+)", value)
    }
    used |= {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs}
    assert used and used <= set(ids)


FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
]  # fmt: skip


def browse(page, *arguments):
    """Open a page in a fresh headless browser; gives what the browser complained of."""
    assert CHROMIUM, "CI needs a chromium"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *arguments, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def screenshot(page, scheme, height):
    """The page in a window of 1000 pixels, "light" or "dark", as (height, 1000, 3) integers, without complaint."""
    shot = page.with_suffix(f".{scheme}.png")
    options = [f"--screenshot={shot}", f"--window-size=1000,{height}"]
    assert browse(page, *options, f"--blink-settings=preferredColorScheme={int(scheme == 'light')}") == []
    pixels = (imread(shot)[:, :, :3] * 255).round().astype(int)
    assert pixels.shape == (height, 1000, 3)
    return pixels
