"""The shelf of comparisons: what is on it, and that a process which cannot work is told and not waited for."""

import pytest

from milvuslab.model.errors import ConflictError, NotFoundError
from milvuslab.studio.lab.desk import LabDesk
from milvuslab.studio.lab.order import LabOrder
from tests.studios import keep_comparison, make_workspace, wait_for


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path, server="lite")


@pytest.fixture
def desk(workspace):
    desk = LabDesk(
        settings=workspace.settings, child_environment=workspace.child_environment(), working_dir=workspace.folder
    )
    yield desk
    desk.close()


def test_a_kept_comparison_is_read_with_its_results(desk, workspace):
    keep_comparison(workspace.settings.home_dir)
    (entry,) = desk.entries()
    assert (entry.title, entry.state, entry.is_running) == ("3,000 x 16", "done", False)
    found = desk.read(entry.comparison_id)
    assert [result.index_type for result in found.results] == ["FLAT", "HNSW", "IVF_FLAT"]
    assert desk.read(entry.comparison_id) is found


def test_the_latest_comparison_comes_first(desk, workspace):
    keep_comparison(workspace.settings.home_dir, "20250102-030405-ab12")
    keep_comparison(workspace.settings.home_dir, "20250607-030405-ab12")
    assert [entry.comparison_id[:8] for entry in desk.entries()] == ["20250607", "20250102"]


def test_what_a_command_compared_is_shown_too(desk, workspace):
    folder = keep_comparison(workspace.settings.home_dir, "20250102-030405")
    (folder / "order.json").unlink()
    (entry,) = desk.entries()
    assert (entry.title, entry.state, entry.order) == ("clustered-3000x16", "done", None)


def test_a_report_is_found_once_it_is_written(desk, workspace):
    folder = keep_comparison(workspace.settings.home_dir)
    with pytest.raises(NotFoundError, match="no report"):
        desk.report_path(folder.name)
    (folder / "report.html").write_text("<!doctype html>")
    assert desk.report_path(folder.name) == folder / "report.html"


@pytest.mark.parametrize("name", ["unknown", "..", ".", "a/b", "", "x" * 80])
def test_a_comparison_that_is_not_there_is_not_found(desk, name):
    for ask in (desk.find, desk.read, desk.cancel, desk.remove, desk.report_path):
        with pytest.raises(NotFoundError):
            ask(name)


def test_a_comparison_is_removed_with_its_job(desk, workspace):
    folder = keep_comparison(workspace.settings.home_dir)
    desk.remove(folder.name)
    assert desk.entries() == []
    assert not folder.exists()
    assert list((workspace.settings.home_dir / "jobs").glob("*.json")) == []


def test_what_is_done_cannot_be_stopped(desk, workspace):
    folder = keep_comparison(workspace.settings.home_dir)
    with pytest.raises(ConflictError, match="done"):
        desk.cancel(folder.name)


def test_a_comparison_without_a_server_fails_with_its_reason_and_another_may_begin(desk):
    comparison_id = desk.start(LabOrder(row_count=1_000, dim=16, index_types=("FLAT",)))
    with pytest.raises(ConflictError, match="is running"):
        desk.start(LabOrder())
    entry = wait_for(lambda: found if not (found := desk.find(comparison_id)).is_running else None, timeout_s=60)
    assert entry.state == "failed"
    assert "milvuslab" in entry.failure
    assert desk.read(comparison_id) is None or not desk.read(comparison_id).results


def test_a_process_that_dies_at_once_is_told_by_its_last_words(workspace, tmp_path):
    environment = {**workspace.child_environment(), "MILVUSLAB_STUDIO_PORT": "no number"}
    desk = LabDesk(settings=workspace.settings, child_environment=environment, working_dir=tmp_path)
    comparison_id = desk.start(LabOrder(row_count=1_000, dim=16))
    entry = wait_for(lambda: found if not (found := desk.find(comparison_id)).is_running else None, timeout_s=60)
    desk.close()
    assert entry.state == "failed"
    assert "studio_port" in entry.failure.lower()
