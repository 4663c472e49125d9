"""Every kind of defect is found, whatever the history; a clean one passes; unknown outcomes allow both."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.journal.checker import FINDING_KINDS, check_rows
from milvuslab.journal.ledger import Entry, History, Operation
from milvuslab.model.errors import CheckFailedError

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "delete"]),
        st.sampled_from(["ok", "ok", "ok", "fail", "unknown"]),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=20,
)

OURS = 50


@dataclasses.dataclass
class World:
    """A history made step by step, with the server that honestly executed it."""

    operations: list = dataclasses.field(default_factory=list)
    rows: dict = dataclasses.field(default_factory=dict)

    def do(self, action, key, outcome="ok", *, is_executed=None):
        version = len(self.operations) + 1
        if action == "write":
            action = "upsert" if any(one.entries[0].key == key for one in self.operations) else "insert"
        digest = "" if action == "delete" else f"{key}v{version}"
        line = 2 * version
        ended = None if outcome == "unknown" and version % 2 else line + 1
        self.operations.append(
            Operation(
                number=version,
                action=action,
                entries=(Entry(key, version, digest),),
                outcome=outcome,
                begun=line,
                ended=ended,
            )
        )
        if outcome == "ok" or (outcome == "unknown" and is_executed):
            self.rows[key] = digest
            if not digest:
                del self.rows[key]
        return self

    @property
    def history(self):
        return History(operations=tuple(self.operations), is_torn=False, whole_bytes=0)

    def check(self, *, changed=None, added=()):
        return check_rows(self.history, [*(self.rows if changed is None else changed).items(), *added])

    def versions_of(self, key):
        return [
            one.entries[0].digest
            for one in self.operations
            if one.entries[0].key == key and one.outcome == "ok" and one.action != "delete"
        ]


def make_world(before=(), after=(), *, ours=()):
    """What others do before and after, and between it what is done to our own key."""
    world = World()
    for action, outcome, key, is_executed in before:
        world.do(action, key, outcome, is_executed=is_executed)
    for action in ours:
        world.do(action, OURS)
    for action, outcome, key, is_executed in after:
        world.do(action, key, outcome, is_executed=is_executed)
    return world


def worlds(*ours):
    return st.builds(make_world, STEPS, STEPS, ours=st.just(ours))


def kinds(report):
    return [(finding.kind, finding.key) for finding in report.findings]


@given(worlds("write"))
def test_an_honest_server_passes(world):
    report = world.check()
    assert report.findings == ()
    assert report.row_count == len(world.rows)
    assert report.acknowledged_count + report.failed_count + report.unknown_count == len(world.operations)


@given(worlds("write") | worlds("write", "delete", "write"))
def test_a_lost_row_is_found(world):
    changed = {key: digest for key, digest in world.rows.items() if key != OURS}
    assert kinds(world.check(changed=changed)) == [("lost", OURS)]


@given(worlds("write", "write") | worlds("write", "delete", "write"))
def test_a_stale_row_is_found(world):
    changed = {**world.rows, OURS: world.versions_of(OURS)[0]}
    assert kinds(world.check(changed=changed)) == [("stale", OURS)]


@given(worlds("write", "delete") | worlds("write", "write", "delete"))
def test_a_resurrected_row_is_found(world):
    changed = {**world.rows, OURS: world.versions_of(OURS)[-1]}
    assert kinds(world.check(changed=changed)) == [("resurrected", OURS)]


@given(worlds("write") | worlds("write", "write"))
def test_a_duplicated_row_is_found(world):
    assert kinds(world.check(added=[(OURS, world.rows[OURS])])) == [("duplicated", OURS)]


@given(worlds("write"))
def test_a_phantom_is_found(world):
    assert kinds(world.check(added=[(99, "x")])) == [("phantom", 99)]
    assert kinds(world.check(changed={**world.rows, OURS: "nobody wrote this"})) == [("phantom", OURS)]


def test_a_refused_write_must_not_be_seen():
    world = World().do("write", 1, "fail")
    report = world.check(changed={1: "1v1"})
    assert kinds(report) == [("phantom", 1)] and "refused" in report.findings[0].message


@pytest.mark.parametrize("held", [{}, {1: "1v1"}], ids=["not executed", "executed"])
def test_an_unknown_insert_allows_both(held):
    assert World().do("write", 1, "unknown").check(changed=held).is_clean


@pytest.mark.parametrize("held", [{1: "1v1"}, {1: "1v2"}], ids=["not executed", "executed"])
def test_an_unknown_replacement_allows_both_but_not_nothing(held):
    world = World().do("write", 1).do("write", 1, "unknown")
    assert world.check(changed=held).is_clean
    assert kinds(world.check(changed={})) == [("lost", 1)]


@pytest.mark.parametrize("held", [{}, {1: "1v1"}], ids=["executed", "not executed"])
def test_an_unknown_deletion_allows_both(held):
    assert World().do("write", 1).do("delete", 1, "unknown").check(changed=held).is_clean


def test_an_unknown_write_may_still_come_late():
    world = World().do("write", 1).do("write", 1, "unknown").do("delete", 1)
    assert world.check(changed={1: "1v2"}).is_clean
    assert kinds(world.check(changed={1: "1v1"})) == [("resurrected", 1)]


def test_writes_side_by_side_may_end_in_either_order():
    first = Operation(number=1, action="upsert", entries=(Entry(1, 1, "a"),), outcome="ok", begun=2, ended=5)
    second = Operation(number=2, action="upsert", entries=(Entry(1, 2, "b"),), outcome="ok", begun=3, ended=4)
    history = History(operations=(first, second), is_torn=False, whole_bytes=0)
    assert all(check_rows(history, [(1, digest)]).is_clean for digest in "ab")
    assert not check_rows(history, []).is_clean


def test_the_verdict_names_what_it_found():
    world = World().do("write", 1).do("write", 2).do("delete", 2)
    report = world.check(changed={2: "2v2"}, added=[(3, "x")])
    assert report.counts == {"lost": 1, "stale": 0, "resurrected": 1, "duplicated": 0, "phantom": 1}
    with pytest.raises(CheckFailedError, match="1 lost, 1 resurrected, 1 phantom") as caught:
        report.require_clean()
    assert len(caught.value.findings) == 3
    assert report.as_dict()["counts"]["lost"] == 1 and tuple(report.counts) == FINDING_KINDS


def test_a_clean_verdict_asks_for_nothing():
    World().do("write", "문서").check().require_clean()
