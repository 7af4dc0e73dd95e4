"""The page and the reply: for people, honest, with nothing that runs or is fetched."""

import re
from dataclasses import replace

import pytest

from tests.unlearning.certificates.made import BESIDE, GOOD, HEAD, PERSON, REQUEST, approximate, made
from unlearning.certificates.claims import NEVER_LEARNED, NOTHING_FOUND, RETRAINED
from unlearning.certificates.documents import page, reply

UNQUALIFIED = re.compile(r"(?<!approximately )forgotten|forgotten(?! to threshold)")


SAID = {
    RETRAINED: "The part of the model that had learned from you was trained again, from its start, without you.",
    NEVER_LEARNED: "No part of the model had learned from these records",
    NOTHING_FOUND: "As there was no record, nothing of the model was trained again.",
}  # to the person, of all that there is about them
UNTOUCHED = {"shards": [], "rounds": 0, "adapters": [], "clients": []}


@pytest.fixture(params=["exact", "approximate", "failed", "unlearned", "nothing"])
def signed(request, tmp_path):
    options = {
        "exact": {},
        "approximate": approximate(),
        "failed": {"measures": GOOD.model_copy(update={"traces": 1})},
        "unlearned": {"claim": NEVER_LEARNED, **UNTOUCHED},
        "nothing": {"claim": NOTHING_FOUND, **UNTOUCHED},
    }
    return made(tmp_path, **options[request.param])[2]


def test_never_says_forgotten_unqualified(signed):
    claim, verdict = signed.certificate.claim, signed.certificate.verdict
    for text in (page(signed, BESIDE), reply(signed, HEAD)):
        assert not UNQUALIFIED.search(text)
        assert PERSON not in text
        assert REQUEST in text
    assert claim in page(signed, BESIDE)
    assert (SAID.get(claim, "no proof that nothing is left") in reply(signed, HEAD)) == (verdict == "PASS")
    assert ("did not pass" in reply(signed, HEAD)) == (verdict == "FAIL")


def test_of_a_training_is_told_only_where_there_was_one(signed):
    for text in (page(signed, BESIDE), reply(signed, HEAD)):
        assert (SAID[RETRAINED].split(" from you")[0] in text) <= bool(signed.certificate.shards)
        assert ("back in use" in text.lower()) == bool(signed.certificate.shards)
        assert ("Every record about" in text) == (signed.certificate.claim != NOTHING_FOUND)


@pytest.mark.parametrize("claim", [NEVER_LEARNED, NOTHING_FOUND, RETRAINED])
def test_no_claim_is_made_of_what_was_not_done(tmp_path, claim):
    with pytest.raises(ValueError, match="certificate"):
        made(tmp_path, claim=claim, **(UNTOUCHED if claim == RETRAINED else {}))
    with pytest.raises(ValueError, match="certificate"):
        made(tmp_path, scope=["person", "client"])  # which client?


def test_a_shard_that_another_request_keeps_out_is_not_said_to_be_back(tmp_path):
    signed = made(tmp_path, restored_seconds=None)[2]
    assert "another request still keeps it out of use" in reply(signed, HEAD)
    assert "back in use" not in reply(signed, HEAD)
    assert page(signed, BESIDE)


def test_a_part_is_told_as_a_part(tmp_path):
    scope = {"scope": ["person", "items", "dates", "client"], "client": "client-<1>"}
    signed = made(tmp_path, **scope)[2]
    for text, whom in ((page(signed, BESIDE), "this person"), (reply(signed, HEAD), "you")):
        assert f"Every record about {whom} on the titles that the request names within the dates" in text
        assert f"Whatever else there is about {whom} was no part of the request" in text
    assert "held at the one place that the request names" in reply(signed, HEAD)
    assert "client-&lt;1&gt;" in page(signed, BESIDE) and "client-<1>" not in page(signed, BESIDE)


def test_the_reply_says_what_remains_until_when_and_how_to_complain(signed):
    text = reply(signed, HEAD)
    assert "backups, beyond use, until 2026-06-30" in text
    assert "told on 2026-01-31: 2." in text and "client-1" not in text and "client-1, told" in page(signed, BESIDE)
    assert "Art. 77" in text
    assert signed.digest in text


def test_the_page_is_self_contained_and_escapes(tmp_path):
    what = "<script>alert(1)</script>"
    signed = made(tmp_path, elsewhere=[{"what": what}])[2]
    html = page(signed, BESIDE)
    assert html == page(signed, BESIDE)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"(?:src|href)=", html)
    assert what + ", with no date set" in reply(signed, HEAD)


def test_the_page_names_what_was_examined_and_the_people_behind_the_keys(tmp_path):
    signed = made(tmp_path)[2]
    keys = signed.certificate.operators
    html = page(signed, replace(BESIDE, operators={keys.requester: "anna", keys.approver: "ben"}))
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.replace("\u202f", "")))
    assert "Shards trained again 1 of 4" in shown
    assert f"Asked by anna, key {keys.requester}" in shown and f"Approved by ben, key {keys.approver}" in shown
    unknown = keys.signer not in (keys.requester, keys.approver)
    assert (f"Signed by somebody this run does not know, key {keys.signer}" in shown) == unknown
    assert "Traces of the records in every client's rows" in shown.replace("&#39;", "'") and "0, allowed 0" in shown
    assert "Whether the model tells the erased records" in shown and "AUC 0.520" in shown
    assert "`" not in html


def test_the_reply_has_a_sender_and_the_day_of_receipt(tmp_path):
    text = reply(made(tmp_path)[2], HEAD)
    assert text.startswith("From: Films Ltd, dpo@films.example\nDate: 2026-01-31\n")
    assert f"{REQUEST}, received on 2026-01-12" in text and "`" not in text
