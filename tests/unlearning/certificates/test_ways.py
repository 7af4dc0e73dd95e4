"""An approximate certificate is never readable as an exact one, nor an exact one as something else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unlearning.certificates.made import BESIDE, FIGURES, GOOD, HEAD, approximate, made, trusted
from unlearning.audit.canonical import canonical, digest, parse
from unlearning.certificates.bundle import BRIDGE
from unlearning.certificates.claims import RETRAINED, approximately
from unlearning.certificates.documents import page, reply
from unlearning.certificates.verify import verify_certificate
from unlearning.verification import RETRAINING, Thresholds, verdict


def failed(folder: Any, **options: Any) -> list[str]:
    path, bundle, _ = made(folder, **options)
    return [
        check.name for check in verify_certificate(path, bundle=bundle, trusted=trusted(folder)).checks if not check.ok
    ]


def figures(**changed: Any) -> Any:
    return GOOD.model_copy(update={"utility": 0.0, "approximate": FIGURES.model_copy(update=changed)})


FAR = Thresholds(membership=0.15, membership_end="far")
BEFORE = verdict(figures(), FAR).model_dump(mode="json")


def bridge(**changed: Any) -> dict[str, Any]:
    """What `made` takes for an exact certificate with an approximate answer before it."""
    facts = {
        "claim": approximately(0.15),
        "served_at": "2026-01-31T10:00:41.500000Z",
        "replaced_at": "2026-01-31T10:00:42Z",
        "verification_report": digest(BEFORE),
    }
    plan = {**approximate()["planned"], "path": "bridge"}
    return {
        "planned": plan, "bridged": True, "change": lambda parts: parts.update({BRIDGE: BEFORE}),
        "bridge": {**facts, **changed},
    }  # fmt: skip


def test_what_was_made_holds(tmp_path: Any) -> None:
    assert failed(tmp_path / "approximate", **approximate()) == []
    assert failed(tmp_path / "bridge", **bridge()) == []


EXACT = {"claim": RETRAINED, "method": "shard-retraining", "not_measured": []}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (approximate(claim=approximately(0.2)), "agreement"),
        (approximate(**EXACT), "way"),  # the word and what it was made by
        (approximate(**EXACT, ran=2, measures=GOOD, thresholds=Thresholds()), "way"),  # and all it was measured by
        (approximate(planned={}), "way"),  # the plan was to train again
        (approximate(planned={**approximate()["planned"], "path": "exact"}), "way"),
        (approximate(served={}), "way"),
        (approximate(measures=GOOD), "way"),
        (approximate(not_measured=[]), "verification"),  # what nobody knows is said
        (approximate(measures=figures(auc=(0.75, 0.68))), "verification"),
        (approximate(measures=figures(membership_auc=0.55)), "verification"),
        ({"served": {"method": "approximate"}}, "way"),  # an exact one, of an approximate answer
        ({"bridged": True}, "way"),  # what answered before is not told
        ({key: value for key, value in bridge().items() if key != "bridge"}, "way"),
        (bridge(served_at="2026-01-31T10:00:41Z"), "bridge"),
        (bridge(replaced_at=None), "bridge"),
        (bridge(claim=approximately(0.1)), "bridge"),
        (bridge(verification_report="00" * 32), "bridge"),
        ({**bridge(), "change": None}, "bridge"),  # its report is not there
        ({**bridge(), "bridged": False}, "way"),
    ],
)  # fmt: skip
def test_one_that_says_otherwise_is_refused_though_signed(tmp_path: Any, options: dict[str, Any], name: str) -> None:
    assert name in failed(tmp_path, **options)


@pytest.mark.parametrize(
    "changed",
    [{"claim": RETRAINED}, {"method": "shard-retraining"}, {"claim": approximately(0.15)}],
    ids=["claim", "method", "claim of an exact one"],
)
def test_no_certificate_is_signed_of_a_claim_by_another_method(tmp_path: Any, changed: dict[str, str]) -> None:
    kind = {} if changed == {"claim": approximately(0.15)} else approximate()
    with pytest.raises(ValueError, match="certificate"):
        made(tmp_path, **{**kind, **changed})


def test_an_edited_word_is_refused_without_the_evidence(tmp_path: Any) -> None:
    path, _, _ = made(tmp_path, **approximate())
    for key, value in (("claim", RETRAINED), ("claim", approximately(0.1)), ("method", "shard-retraining")):
        content = parse(path.read_bytes())
        content["certificate"][key] = value
        edited = path.with_name("edited.json")
        edited.write_bytes(canonical(content))
        assert not verify_certificate(edited, trusted=trusted(tmp_path)).intact


def test_page_and_letter_say_which_it_is(tmp_path: Any) -> None:
    _, _, one = made(tmp_path / "a", **approximate())
    _, _, other = made(tmp_path / "b", **bridge())
    for text in (page(one, BESIDE), reply(one, HEAD)):
        assert "no proof that nothing is left" in text and "trained again" not in text.replace("was trained", "")
    assert RETRAINING in page(one, BESIDE)
    for text in (page(other, BESIDE), reply(other, HEAD)):
        assert "2026-01-31 10:00 UTC" in text and "measurement" in text
