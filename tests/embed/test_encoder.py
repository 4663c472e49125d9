"""Fingerprints and their check."""

import pytest

from milvuslab.embed import ENCODERS, Fingerprint, check_fingerprint
from milvuslab.model.errors import ConfigError, ConflictError

MINE = Fingerprint(name="minilm", dim=384, is_normalized=True, sha256="ab" * 32)


def test_a_fingerprint_survives_storing():
    assert Fingerprint.from_dict(MINE.as_dict() | {"later": 1}) == MINE


@pytest.mark.parametrize(
    "change", [{"dim": "384"}, {"dim": True}, {"name": None}, {"is_normalized": 1}, {"sha256": None}]
)
def test_a_damaged_fingerprint_is_named(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        Fingerprint.from_dict(MINE.as_dict() | change)


@pytest.mark.parametrize(
    "change", [{"name": "e5-small"}, {"dim": 512}, {"is_normalized": False}, {"sha256": "cd" * 32}]
)
def test_every_difference_is_a_conflict_that_names_both(change):
    stored = Fingerprint.from_dict(MINE.as_dict() | change)
    with pytest.raises(ConflictError) as caught:
        check_fingerprint(stored, MINE)
    assert caught.value.context == {"stored": stored.as_dict(), "mine": MINE.as_dict()}
    assert str(stored) in caught.value.message and str(MINE) in caught.value.message


def test_the_same_encoder_is_no_conflict():
    check_fingerprint(Fingerprint.from_dict(MINE.as_dict()), MINE)


def test_known_encoders_have_fingerprints_of_their_own():
    prints = [spec.fingerprint for spec in ENCODERS.values()]
    assert len({each.sha256 for each in prints}) == len(prints)
    assert [each.name for each in prints] == list(ENCODERS)
