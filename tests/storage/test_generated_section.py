"""What a command writes into a document stays between its marks."""

import pytest

from trivium.errors import DataError
from trivium.storage.generated_section import MarkedPart

pytestmark = pytest.mark.plain
PLACE = MarkedPart("<!-- begin -->", "<!-- end -->")
TEXT = "before\n<!-- begin -->\nold\n<!-- end -->\nafter\n"


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    for new in ("new", "newer"):  # what is written can be written again
        PLACE.write(path, PLACE.around(new))
        assert path.read_text() == f"before\n<!-- begin -->\n\n{new}\n\n<!-- end -->\nafter\n"


@pytest.mark.parametrize("text", ["nothing", TEXT.replace("<!-- end -->", ""), TEXT.replace("<!-- begin -->", "")])
def test_without_its_marks_a_document_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(DataError, match=r"expected the lines <!-- begin --> and <!-- end -->"):
        PLACE.write(path, PLACE.around("new"))
    assert path.read_text() == text
