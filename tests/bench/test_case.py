"""Cases: what a file may say, and how a mistake is named."""

import dataclasses

import pytest

from milvuslab.bench.case_file import case_from_dict, find_case, list_cases, read_case
from milvuslab.model.errors import ConfigError, NotFoundError
from tests.bench.cases import write_case

SMALL = {
    "name": "small",
    "dataset": {"row_count": 1_000, "dim": 8},
    "index": {"type": "FLAT"},
}


def make(**sections):
    return case_from_dict({**SMALL, **sections})


def test_settings_are_the_product_of_what_is_asked():
    case = make(
        index={"type": "HNSW", "params": {"M": 8, "efConstruction": 60}},
        search={"params": [{"ef": 16}, {"ef": 64}], "selectivity": [1.0, 0.1], "k": 5},
        load={"mode": "closed", "in_flight": [1, 8]},
    )
    labels = [setting.label for setting in case.settings()]
    assert len(labels) == len(set(labels)) == 8
    assert labels[0] == "ef=16, 1 in flight"
    assert labels[-1] == "ef=64, 0.1 pass, 8 in flight"
    assert {setting.bucket_below for setting in case.settings()} == {None, 1_000}


def test_one_value_stands_for_a_list_of_one():
    assert make(load={"rate_per_s": 20}).load.rate_per_s == (20.0,)


@pytest.mark.parametrize(
    "sections, message, hint",
    [
        ({"serch": {}}, "the case.serch is no key", "did you mean search?"),
        ({"search": {"kk": 3}}, "search.kk is no key", "k"),
        ({"load": {"in_fligth": 3}}, "load.in_fligth is no key", "in_flight"),
        ({"smoke": {"load": {"durations_s": 3}}}, "smoke.load.durations_s is no key", "duration_s"),
        ({"search": {"k": "ten"}}, "search.k is 'ten', which is not a whole number", "hits"),
        ({"search": {"k": 0}}, "search.k is 0, less than 1", "hits"),
        ({"search": {"k": True}}, "search.k is True", "hits"),
        ({"search": {"params": []}}, "search.params is empty", "at least one"),
        ({"search": {"selectivity": 2}}, "search.selectivity is 2, more than 1", "filter"),
        ({"load": {"mode": "closd"}}, "load.mode is 'closd'", "did you mean closed?"),
        ({"collection": {"metric": "L1"}}, "collection.metric is 'L1'", "L2"),
        ({"collection": {"metric": "HAMMING"}}, "HAMMING, the data set is clustered", "bits take"),
        ({"dataset": {"kind": "file"}}, "dataset.path is ''", "needs both"),
        ({"dataset": {"row_count": 0, "dim": 8}}, "dataset.row_count is 0", "at least 1"),
        ({"search": {"k": 2_000}}, "search.k is 2,000, the data set has 1,000 rows", "fewer"),
        ({"index": {"type": "HNWS"}}, "HNWS", "HNSW"),
        ({"index": {"type": "HNSW", "params": {"M": 8, "efConstrution": 9}}}, "efConstrution", "efConstruction"),
        ({"search": {"params": [{}, {}]}}, "measures a setting twice", "remove one"),
        ({"search": 3}, "search is 3, which is no table", "[search]"),
        ({"name": "two words"}, "'two words' is no name", "letters"),
    ],
)
def test_a_mistake_is_named_with_the_right_word(sections, message, hint):
    with pytest.raises(ConfigError) as caught:
        make(**sections)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_smoke_lays_its_values_over_the_others(tmp_path):
    path = write_case(tmp_path, replaced=[("[run]", "[smoke.dataset]\nrow_count = 100\n\n[run]")])
    whole, small = read_case(path), read_case(path, is_smoke=True)
    assert (whole.dataset.row_count, small.dataset.row_count) == (1_200, 100)
    assert whole.dataset.dim == small.dataset.dim
    assert whole.digest != small.digest


def test_the_digest_is_of_what_decides_the_measurement():
    case = make()
    assert dataclasses.replace(case, title="other", name="other").digest == case.digest
    assert make(search={"k": 5}).digest != case.digest
    assert case_from_dict(case.as_dict()) == case


def test_a_case_is_found_by_path_or_name(tmp_path):
    assert find_case("throughput").name == "throughput.toml"
    assert find_case(str(write_case(tmp_path))).parent == tmp_path
    with pytest.raises(NotFoundError) as caught:
        find_case("througput")
    assert "throughput" in caught.value.hint
    with pytest.raises(NotFoundError, match=r"no case file .*gone.toml"):
        find_case("gone.toml")


def test_what_is_no_toml_is_said(tmp_path):
    (tmp_path / "bad.toml").write_text("[dataset\n")
    with pytest.raises(ConfigError, match="is no TOML"):
        read_case(tmp_path / "bad.toml")


@pytest.mark.parametrize("name", list_cases())
def test_every_case_of_the_package_reads_in_both_sizes(name):
    whole, small = (read_case(find_case(name), is_smoke=is_smoke) for is_smoke in (False, True))
    assert whole.title
    assert small.dataset.row_count < whole.dataset.row_count
    assert whole.run.repeats >= 3
