"""The room table of the architecture page, the table of floors and the tree agree."""

from tests.docs.markdown import table_rows
from tests.house.floors import FLOORS
from tests.house.source import PACKAGE_DIR, ROOT_DIR

PAGE = ROOT_DIR / "docs" / "explain" / "architecture.md"


def page_floors() -> dict[str, int]:
    rows = table_rows(PAGE.read_text(encoding="utf-8"))[1:]
    return {row[1].strip("`/"): int(row[0].split()[0]) for row in rows}


def test_the_page_shows_the_table_of_floors():
    assert page_floors() == {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def test_every_room_of_the_tree_is_on_the_page():
    rooms = {path.parent.name for path in PACKAGE_DIR.glob("*/__init__.py")}
    assert rooms <= set(page_floors())
