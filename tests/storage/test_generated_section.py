"""A command writes into a document only between its marks."""

import pytest

from trivium.errors import DataError
from trivium.storage.generated_section import GeneratedSection

pytestmark = pytest.mark.plain
PLACE = GeneratedSection("<!-- begin -->", "<!-- end -->")
TEXT = "before\n<!-- begin -->\nold\n<!-- end -->\nafter\n"


def test_only_the_text_between_the_marks_is_replaced(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    for new in ("new", "newer"):  # a section can be replaced repeatedly
        PLACE.write(path, PLACE.render(new))
        assert path.read_text() == f"before\n<!-- begin -->\n\n{new}\n\n<!-- end -->\nafter\n"


@pytest.mark.parametrize("text", ["nothing", TEXT.replace("<!-- end -->", ""), TEXT.replace("<!-- begin -->", "")])
def test_a_document_without_the_marks_is_left_unchanged(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(DataError, match=r"expected the lines <!-- begin --> and <!-- end -->"):
        PLACE.write(path, PLACE.render("new"))
    assert path.read_text() == text
