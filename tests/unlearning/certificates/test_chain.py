"""Certificates of a folder are one chain: nothing can be left out, altered, or be there twice."""

from tests.unlearning.certificates.made import failed, made
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.verify import verify_certificate


def chain(folder, length):
    folder.mkdir()
    previous, paths = None, []
    for k in range(length):
        _, _, signed = made(folder / f"made-{k}", previous=previous)
        paths.append(folder / f"{k}.json")
        signed.save(paths[-1])
        previous = signed.digest
    return paths


def test_a_chain(tmp_path):
    paths = chain(tmp_path / "chain", 3)
    assert verify_chain(paths[0].parent).intact
    assert verify_certificate(paths[1], previous=paths[0]).intact
    assert failed(verify_certificate(paths[2], previous=paths[0])) == ["previous certificate"]
    raw = [path.read_bytes() for path in paths]
    for k in (0, 1):
        paths[k].unlink()
        assert not verify_chain(paths[0].parent).intact, k
        paths[k].write_bytes(raw[k])
    paths[0].write_bytes(raw[0].replace(b"client-0", b"client-2"))
    assert not verify_chain(paths[0].parent).intact


def test_a_fork_is_no_chain(tmp_path):
    paths = chain(tmp_path / "chain", 1)
    _, _, signed = made(tmp_path / "other")
    signed.save(paths[0].parent / "other.json")
    assert failed(verify_chain(paths[0].parent)) == ["other.json: chain"]


def test_a_certificate_under_a_second_name_is_no_second_one(tmp_path):
    paths = chain(tmp_path / "chain", 2)
    (paths[0].parent / "copy.json").write_bytes(paths[1].read_bytes())
    (fault,) = [check for check in verify_chain(paths[0].parent).checks if not check.ok]
    assert fault.name == "copy.json: chain" and "1.json under a second name" in fault.why
