"""Windows of time series: cut from each series alone, in the order of time, and divided by time."""

import numpy as np
import polars
import pytest
from series_tables import counted

from trivium.data import datasets
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.fixture
def sales(tmp_path):
    return counted(tmp_path / "sales.csv")


def load(path, **settings):
    return datasets.load(str(path) + "".join(f":{name}={value}" for name, value in settings.items()))


def write(path, text):
    path.write_text(text)
    return path


def series_in(values):
    """The numbers of the series that values of `counted` come from."""
    return set((np.abs(values) // 1_000).astype(int).reshape(-1).tolist())


def test_a_window_is_followed_by_its_targets_and_holds_one_series(sales):
    data = load(sales, window=5, horizon=3, key="shop", time="day")
    assert data.train.x.shape == (2 * (32 - 7), 5, 2)
    assert data.train.y.shape == (2 * (32 - 7), 3)
    assert data.test.x.shape == (2, 5, 2)
    for split in (data.train, data.test):
        for x, y in zip(split.x, split.y, strict=True):
            assert len(series_in(x) | series_in(y)) == 1, "a window holds rows of one series"
            assert np.diff([*x[:, 1], *y]).tolist() == [1.0] * 7, "days follow each other without a gap"
            assert x[:, 0].tolist() == (-x[:, 1]).tolist(), "a row stays together"
    assert (data.kind, data.labels, data.series.rows.names) == ("series", (), ("north", "south"))


def test_the_last_part_of_each_series_is_its_test_part(sales):
    data = load(sales, window=3, test_share=0.25, key="shop", time="day")
    for first, (train, test) in {1_000: (29, 30), 2_000: (29, 30)}.items():
        own = [split.x[:, 0, 1] // 1_000 * 1_000 == first for split in (data.train, data.test)]
        assert data.train.y[own[0]].max() == first + train
        assert data.test.x[own[1], :, 1].min() == first + test
        assert data.test.y[own[1]].max() == first + 39
        assert data.train.x[own[0]].shape[0] == 30 - 3
        assert data.test.x[own[1]].shape[0] == 10 - 3


def test_validation_is_the_last_of_the_training_part_of_each_series(sales):
    data = load(sales, window=3, test_share=0.25, key="shop", time="day")
    training, held_out = data.series.last_part(0.3)
    seen = np.concatenate([data.train.x[training, :, 1].reshape(-1), data.train.y[training]])
    checked = np.concatenate([data.train.x[held_out, :, 1].reshape(-1), data.train.y[held_out]])
    assert set(seen) == {*range(1_000, 1_021), *range(2_000, 2_021)}
    assert set(checked) == {*range(1_021, 1_030), *range(2_021, 2_030)}


def test_a_stride_leaves_windows_out(sales):
    data = load(sales, window=4, stride=5, key="shop", time="day")
    assert data.train.x[:6, 0, 1].tolist() == [2_000, 2_005, 2_010, 2_015, 2_020, 2_025]


def test_without_times_the_rows_stand_in_their_order(tmp_path):
    table = polars.read_csv(counted(tmp_path / "sales.csv", shuffle=False)).drop("day")
    table.write_csv(tmp_path / "ordered.csv")
    data = load(tmp_path / "ordered.csv", window=2, key="shop", test_share=0)
    assert data.test is None
    assert np.diff(data.train.y).tolist() == [1.0] * 37 + [-1_037.0] + [1.0] * 37
    assert data.series.rows.time_of(42) == 3


def test_several_targets_have_an_axis_of_their_own(sales):
    single = load(sales, window=4, target="sales,price", key="shop", time="day")
    several = load(sales, window=4, horizon=2, target="price,sales", key="shop", time="day")
    assert single.train.y[0].tolist() == [2_004, -2_004]
    assert several.train.y[0].tolist() == [[-2_004, 2_004], [-2_005, 2_005]]


@pytest.mark.parametrize("ending", ["npy", "npz", "parquet", "tsv"])
def test_every_format_gives_the_same_windows(tmp_path, ending):
    heat, load_ = np.arange(30.0), np.arange(30) ** 2
    path = tmp_path / f"series.{ending}"
    if ending == "npy":
        np.save(path, np.stack([heat, load_], 1))
    elif ending == "npz":
        np.savez(path, heat=heat, load=load_)
    elif ending == "parquet":
        polars.DataFrame({"heat": heat, "load": load_}).write_parquet(path)
    else:
        polars.DataFrame({"heat": heat, "load": load_}).write_csv(path, separator="\t")
    data = load(path, window=3)
    assert data.train.x[1].tolist() == [[1, 1], [2, 4], [3, 9]]
    assert data.train.y[:2].tolist() == [9, 16]
    assert data.series.targets == (("column 2",) if ending == "npy" else ("load",))


def test_an_array_of_one_axis_is_a_series_of_one_column(tmp_path):
    np.save(tmp_path / "wave.npy", np.arange(20.0))
    assert load(tmp_path / "wave.npy", window=3).train.x.shape == (13, 3, 1)


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (["10", "9", "8.5"], [8.5, 9, 10]),
        (["2024-03", "2024-02", "2024-01"], ["2024-01-01", "2024-02-01", "2024-03-01"]),
        (
            ["2024-01-02 13:30", "2024-01-02 09:15", "2024-01-01 23:00"],
            ["2024-01-01 23:00:00", "2024-01-02 09:15:00", "2024-01-02 13:30:00"],
        ),
        (["2024-01-01T10:00:02Z", "2024-01-01T10:00:01Z", "2023-12-31T00:00:00Z"], None),
    ],
)
def test_numbers_and_dates_sort_the_rows(tmp_path, cells, times):
    path = write(tmp_path / "t.csv", "at,v\n" + "".join(f"{cell},{3 - n}\n" for n, cell in enumerate(cells)))
    series = load(path, window=1, time="at", test_share=0).series
    assert series.rows.values[:, 0].tolist() == [1, 2, 3]
    assert times is None or [series.rows.time_of(row) for row in range(3)] == times


def test_series_come_in_the_order_of_their_numbers(tmp_path):
    path = write(tmp_path / "t.csv", "id,v\n" + "".join(f"{key},{key}\n" for key in (10, 9, 10, 9, 100, 100)))
    assert load(path, window=1, key="id", test_share=0).series.rows.names == ("9", "10", "100")


TIMED = "day,shop,v\n2024-01-01,a,1\n2024-01-01,b,2\n2024-01-02,a,3\n2024-01-02,b,4\n"


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("a,b\n1,2\n3,\n5,6\n", {}, r"column 'b' has no number in row 2: fill the gap"),
        ("a,b\n1,2\n3,nan\n5,6\n", {}, r"column 'b' has no number in row 2: fill the gap"),
        ("a,b\n1,2\nwet,3\n5,6\n", {}, r"row 2 of column a holds 'wet', expected a number"),
        ("a,b\n1,2\n1,inf\n5,6\n", {}, r"row 2 of column b holds 'inf', expected a number"),
        ("a,b\nwet,2\ndry,3\nwet,6\n", {}, r"column 'a' holds words such as wet, a series takes numbers: is it the `k"),
        (TIMED, {"key": "shop"}, r"column 'day' holds dates such as 2024-01-01, a series takes numbers"),
        (TIMED, {"time": "day", "key": "shp"}, r"has no column 'shp' .*did you mean 'shop'"),
        (
            TIMED.replace("a", "7").replace("b", "8"),
            {"time": "d7y"},
            r"rows 1 and 2 have the same 'd7y': name the column",
        ),
        (
            TIMED.replace("02,b", "01,b"),
            {"time": "day", "key": "shop"},
            r"rows 2 and 4 of b have the same 'day': leave",
        ),
        (TIMED.replace("2024-01-02,a", "3.1.24,a"), {"time": "day", "key": "shop"}, r"'3.1.24' in row 3, expected num"),
        (
            TIMED.replace("2024-01-02,a", "2024-13-02,a"),
            {"time": "day", "key": "shop"},
            r"'2024-13-02' in row 3, expected num",
        ),
        (TIMED.replace("2024-01-02,a", ",a"), {"time": "day", "key": "shop"}, r"column 'day' has no time in row 3"),
        (TIMED.replace("02,a", "02,"), {"time": "day", "key": "shop"}, r"column 'shop' has no value in row 3"),
        ("a,b\n1,2\n3,4\n5,6\n", {"target": "c"}, r"target=c: no such column of numbers \(a, b\)"),
        ("a,b\n1,2\n3,4\n5,6\n", {"target": "a,a"}, r"names a column twice"),
        ("a,b\n1,2\n3,4\n5,6\n", {"window": "0"}, r"window=0: expected a whole number of rows, 1 or more"),
        ("a,b\n1,2\n3,4\n5,6\n", {"horizon": "x"}, r"horizon=x: expected a whole number"),
        ("a,b\n1,2\n3,4\n5,6\n", {"windo": 3}, r"has no setting 'windo' .*did you mean 'window'"),
        ("a,b\n1,2\n3,4\n5,6\n", {"window": 9}, r"training part of its longest series has 2 rows, .*takes 10: choose"),
        ("a,b\n1,2\n3,4\n5,6\n", {"window": 1}, r"test part of its longest series has 1 rows, .*takes 2: choose"),
    ],
)
def test_what_is_no_series_is_refused_in_one_line(tmp_path, text, settings, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(DataError, match=message) as error:
        load(path, **{"window": 1, **settings})
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value) or "expected a whole number" in str(error.value)


def test_a_setting_of_series_needs_a_window(tmp_path, sales):
    np.savez(tmp_path / "d.npz", a=[1.0], b=[1.0, 2.0])
    with pytest.raises(DataError, match=r"`horizon` says how a series is read: add `window` N"):
        load(sales, horizon=2)
    with pytest.raises(DataError, match=r"have one length, its arrays have several \(a 1, b 2\)"):
        load(tmp_path / "d.npz", window=2)
    with pytest.raises(DataError, match=r"no such file"):
        load(tmp_path / "none.npy", window=2)
    with pytest.raises(DataError, match=r"waves:0 has no setting 'window'"):
        load("waves:0", window=2)


def test_short_series_and_uneven_steps_are_said(tmp_path):
    lines = [f"{n * n},a,{n}" for n in range(20)] + [f"{n},b,{n}" for n in range(4)]
    path = write(tmp_path / "t.csv", "\n".join(["at,id,v", *lines]))
    messages = load(path, window=2, time="at", key="id").series.warnings()
    assert messages == [
        "1 of 2 series have fewer than 3 rows in the test part, so no window: b.",
        "The steps of time vary from 1 to 37: a window counts rows, not time.",
    ]


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        (["2024-05-01", "2024-05-02", "2024-05-05", "2024-05-06"], "1 day to 3 days"),
        (["2024-05-01 10:00", "2024-05-01 11:30", "2024-05-01 11:31", "2024-05-03 11:31"], "1 minute to 2 days"),
    ],
)
def test_uneven_steps_of_dates_are_said_in_their_units(tmp_path, times, steps):
    path = write(tmp_path / "t.csv", "\n".join(["at,v", *(f"{time},{n}" for n, time in enumerate(times))]))
    assert load(path, window=1, time="at", test_share=0).series.warnings() == [
        f"The steps of time vary from {steps}: a window counts rows, not time."
    ]


def test_the_record_says_how_to_read_further_series(sales):
    data = load(sales, window=5, horizon=2, stride=3, key="shop", time="day")
    assert data.describe()["series"] == {
        "window": 5,
        "horizon": 2,
        "stride": 3,
        "target": ["sales"],
        "columns": ["price", "sales"],
        "key": "shop",
        "time": "day",
        "count": 2,
    }
