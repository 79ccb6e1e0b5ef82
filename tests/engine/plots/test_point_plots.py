"""Pictures of points: clusterings side by side, and points before and after a change."""

import numpy as np
import pytest
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import trivium
from trivium.data import datasets
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.fixture(scope="module")
def blobs():
    data = datasets.load("blobs:200:centers=7:features=3").train
    return data.x, data.y


def size_of(path):
    with Image.open(path) as image:
        assert len(image.convert("RGB").getcolors(2**24)) > 100
        return image.size


def test_clusterings_for_each_k_are_drawn_side_by_side(blobs, tmp_path):
    points = blobs[0][:, :2]
    by_k = {f"k = {k}": KMeans(k, random_state=0, n_init=1).fit_predict(points) for k in range(2, 10)}
    trivium.plots.clusterings(points, by_k, tmp_path / "eight.png", title="k-means")
    trivium.plots.clusterings(points, {"k = 2": by_k["k = 2"]}, tmp_path / "one.png")
    (width, height), (of_one, _) = size_of(tmp_path / "eight.png"), size_of(tmp_path / "one.png")
    assert width > 3 * of_one
    assert width > 1.5 * height, "two rows of four"
    with pytest.raises(DataError, match=r"k = 3: expected a cluster for each of the 160 points: \(3,\)"):
        trivium.plots.clusterings(points, {"k = 3": [0, 1, 2]}, tmp_path / "wrong.png")
    with pytest.raises(DataError, match=r"expected points \(n, 2\), received \(160, 3\)"):
        trivium.plots.clusterings(blobs[0], by_k, tmp_path / "wrong.png")


def test_points_are_drawn_before_and_after_a_change_in_space_too(blobs, tmp_path):
    points, classes = blobs
    flat = PCA(2, whiten=True).fit_transform(points)
    trivium.plots.before_and_after(points, flat, tmp_path / "whitened.png", y=classes, title="PCA with whitening")
    trivium.plots.before_and_after(points[:, :2], 2 * points[:, :2], tmp_path / "doubled.png")
    assert size_of(tmp_path / "whitened.png") == size_of(tmp_path / "doubled.png")
    with pytest.raises(DataError, match=r"expected points \(n, 2\) or \(n, 3\), received \(160, 4\)"):
        trivium.plots.before_and_after(np.zeros((160, 4)), flat, tmp_path / "wrong.png")
    with pytest.raises(DataError, match="160 points before and 80 after"):
        trivium.plots.before_and_after(points, flat[:80], tmp_path / "wrong.png")
