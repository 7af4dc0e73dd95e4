"""The page and the reply: for people, honest, with nothing that runs or is fetched."""

import re

import pytest

from fedrec.errors import UsageError
from tests.unlearning.certificates.made import GOOD, PERSON, REQUEST, made
from unlearning.certificates.certificate import approximately
from unlearning.certificates.document import page, reply

UNQUALIFIED = re.compile(r"(?<!approximately )forgotten|forgotten(?! to threshold)")


@pytest.fixture(params=["exact", "approximate", "failed"])
def signed(request, tmp_path):
    options = {
        "exact": {},
        "approximate": {"claim": approximately(0.15)},
        "failed": {"measures": GOOD.model_copy(update={"traces": 1})},
    }
    return made(tmp_path, **options[request.param])[2]


def test_never_says_forgotten_unqualified(signed):
    claim, verdict = signed.certificate.claim, signed.certificate.verdict
    for text in (page(signed), reply(signed)):
        assert not UNQUALIFIED.search(text)
        assert PERSON not in text
        assert REQUEST in text
    assert (claim in reply(signed)) == (verdict == "PASS")
    assert ("did not pass" in reply(signed)) == (verdict == "FAIL")


def test_the_reply_says_what_remains_until_when_and_how_to_complain(signed):
    text = reply(signed)
    assert "backups, beyond use, until 2026-06-30" in text
    assert "client-1, told on 2026-01-31" in text
    assert "Art. 77" in text
    assert signed.digest in text
    with pytest.raises(UsageError, match="'xx'"):
        reply(signed, "xx")


def test_the_page_is_self_contained_and_escapes(tmp_path):
    what = "<script>alert(1)</script>"
    signed = made(tmp_path, elsewhere=[{"what": what}])[2]
    html = page(signed)
    assert html == page(signed)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"(?:src|href)=", html)
    assert what + ", with no date set" in reply(signed)
