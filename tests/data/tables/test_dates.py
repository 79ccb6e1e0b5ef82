"""The form of dates is that of all cells, however they are cut into pieces."""

import polars
import pytest

from trivium.data.tables.dates import DateForms, date_form, parse_dates, to_days
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
        (["2024-12-31T08:00:00Z", "2024-01-02T23:59:59Z"], "%Y-%m-%dT%H:%M:%SZ"),
        (["2024-12-31T08:00", "2024-01-02T23:59"], "%Y-%m-%dT%H:%M"),
        (["2024-12-31T08:00:00.125Z", "2024-01-02T23:59:59Z"], "%Y-%m-%dT%H:%M:%S%.fZ"),
        (["2024-12-31T08:00:00+01:00", "2024-07-02T23:59:59+02:00"], "%Y-%m-%dT%H:%M:%S%z"),
        (["2024-12-31 08:00:00.5", "2024-01-02 23:59:59.25"], "%Y-%m-%d %H:%M:%S%.f"),
        (["2024/12/31", "2024/01/02"], "%Y/%m/%d"),
        (["31.12.2024 08:00", "01.02.2024 23:59"], "%d.%m.%Y %H:%M"),
        (["12/31/2024 08:00:00 PM", "01/02/2024 11:59:59 AM"], "%m/%d/%Y %I:%M:%S %p"),
        (["31/12/2024 08:00", "01/02/2024 23:59"], "%d/%m/%Y %H:%M"),
        ([], None),
    ],
)
def test_the_pieces_have_the_form_of_the_whole(cells, form):
    assert date_form(polars.Series("day", cells, dtype=polars.String), "t") == form
    assert form_of(*([cell] for cell in cells), []) == form


@pytest.mark.parametrize(
    ("cell", "hours"),
    [
        ("1970-01-02T06:30:00Z", 30.5),
        ("1970-01-02T06:30:00+02:00", 28.5),
        ("1970-01-01 23:00:00-01:30", 24.5),
        ("01/13/1970 06:30 PM", 306.5),
        ("1970/01/02 06:30", 30.5),
    ],
)
def test_a_zone_and_half_a_day_are_counted(cell, hours):
    cells = polars.Series("day", [cell])
    days = to_days(parse_dates(cells, date_form(cells, "t")))
    assert days.tolist() == pytest.approx([hours / 24])


def test_dates_that_can_mean_two_days_are_refused():
    with pytest.raises(DataError, match="can mean two days"):
        form_of(["02/02/2024 12:00"], ["01/02/2024 13:00"])
    with pytest.raises(DataError, match="t: column day has dates such as 02/02/2024, which can mean two days"):
        form_of(["02/02/2024"], ["01/02/2024"])
