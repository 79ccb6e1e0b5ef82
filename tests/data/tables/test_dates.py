"""The form of dates is that of all cells, however they are cut into pieces."""

import polars
import pytest

from trivium.data.tables.dates import DateForms, date_form
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def form_of(*pieces):
    forms = DateForms()
    for piece in pieces:
        forms.add(polars.Series("day", piece, dtype=polars.String))
    return forms.require_one("day", "t")


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["2024-12-31", "2024-01-02"], "%Y-%m-%d"),
        (["31.12.2024", "01.02.2024"], "%d.%m.%Y"),
        (["01/02/2024", "31/02/2024"], None),
        (["01/02/2024", "31/01/2024"], "%d/%m/%Y"),
        (["01/02/2024", "01/31/2024"], "%m/%d/%Y"),
        (["01/01/2024", "02/02/2024"], "%d/%m/%Y"),
        (["2024-12-31", "31.12.2024"], None),
        ([], None),
    ],
)
def test_the_pieces_have_the_form_of_the_whole(cells, form):
    assert date_form(polars.Series("day", cells, dtype=polars.String), "t") == form
    assert form_of(*([cell] for cell in cells), []) == form


def test_dates_that_can_mean_two_days_are_refused():
    with pytest.raises(DataError, match="t: column day has dates such as 02/02/2024, which can mean two days"):
        form_of(["02/02/2024"], ["01/02/2024"])
