"""A share of the training samples."""

import numpy as np
import pandas as pd
import pytest

from trivium.data.data_source import dataset_of
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def test_classes_are_as_frequent_in_a_part_and_the_test_samples_stay():
    whole, part = dataset_of("mnist:sample"), dataset_of("mnist:sample:part=0.1")
    assert (len(part.train), len(part.test)) == (500, 1000)
    assert part.name == "mnist:sample:part=0.1"
    assert part.notes[-1] == "500 of 5,000 training samples are used"
    counts = np.bincount(whole.train.y) / 10
    assert np.abs(np.bincount(part.train.y) - counts).max() <= 1
    np.testing.assert_array_equal(part.train.x, dataset_of("mnist:sample", part=0.1).train.x)
    assert part.labels == whole.labels


def test_a_part_keeps_the_order_of_its_samples():
    x = np.arange(100.0)
    part = dataset_of((x, x * 2), part=0.25).train
    assert len(part) == 25
    assert (np.diff(part.x) > 0).all()
    np.testing.assert_array_equal(part.y, part.x * 2)
    assert len(dataset_of((x, x), part="1").train) == 100


def test_a_table_and_a_frame_have_parts(tmp_path):
    frame = pd.DataFrame({"size": range(100), "price": [2.5 * n for n in range(100)]})
    frame.to_csv(tmp_path / "houses.csv", index=False)
    from_file = dataset_of(f"{tmp_path / 'houses.csv'}:target=price:part=0.5")
    assert (len(from_file.train), len(from_file.test)) == (40, 20)
    assert len(dataset_of(frame, target="price", part=0.5).train) == 40


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "nan", "tenth"])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(DataError, match=f"part={share}: expected a share of the training samples, such as 0.1"):
        dataset_of(f"iris:part={share}")


def test_what_has_no_part_is_refused():
    with pytest.raises(DataError, match=r"part=0.001 of 120 samples is none"):
        dataset_of("iris:part=0.001")
    with pytest.raises(DataError, match="shapes is drawn"):
        dataset_of("shapes:part=0.5")
    with pytest.raises(DataError, match=r"part=0.5 needs arrays"):
        dataset_of(((np.zeros((2, 3)), np.zeros(2)) for _ in range(4)), part=0.5)
