import hypothesis
import hypothesis.strategies as st

from milvuslab.model.placement import LoadedSegment, Placement, Replica
from milvuslab.ops.placement import plan_moves


def make_placement(*nodes, replica_id=1):
    """A replica whose node 1, 2, ... holds segments of these sizes."""
    segments = [
        LoadedSegment(segment_id=100 * node + number, row_count=rows, node_ids=(node,), is_sealed=True, index_name="")
        for node, sizes in enumerate(nodes, start=1)
        for number, rows in enumerate(sizes)
    ]
    node_ids = tuple(range(1, len(nodes) + 1))
    replica = Replica(replica_id=replica_id, resource_group="", node_ids=node_ids, shards=())
    return Placement(collection="a", replicas=(replica,), segments=tuple(segments))


def test_the_fullest_node_gives_to_the_emptiest():
    (move,) = plan_moves(make_placement([100, 100], []))
    assert (move.source_id, move.target_id, move.row_count) == (1, 2, 100)


def test_what_would_only_swap_two_nodes_stays():
    assert plan_moves(make_placement([100], [])) == []
    assert plan_moves(make_placement([100, 100], [100])) == []


def test_growing_segments_are_left_alone():
    placement = make_placement([100, 100], [])
    growing = [LoadedSegment(segment_id=9, row_count=500, node_ids=(1,), is_sealed=False, index_name="")]
    assert (
        len(
            plan_moves(Placement(collection="a", replicas=placement.replicas, segments=(*placement.segments, *growing)))
        )
        == 1
    )


@hypothesis.given(st.lists(st.lists(st.integers(1, 1_000), max_size=8), min_size=1, max_size=5))
def test_moves_make_it_more_even_and_lose_nothing(nodes):
    held = {
        node: {100 * node + number: rows for number, rows in enumerate(sizes)}
        for node, sizes in enumerate(nodes, start=1)
    }
    worst = max(sum(one.values()) for one in held.values())
    total = sum(sum(one.values()) for one in held.values())
    for move in plan_moves(make_placement(*nodes)):
        held[move.target_id][move.segment_id] = held[move.source_id].pop(move.segment_id)
        fullest = max(sum(one.values()) for one in held.values())
        assert fullest <= worst
        worst = fullest
    assert sum(sum(one.values()) for one in held.values()) == total
    rows = sorted(sum(one.values()) for one in held.values())
    largest = max((size for one in held.values() for size in one.values()), default=0)
    assert rows[-1] - rows[0] <= 2 * largest
