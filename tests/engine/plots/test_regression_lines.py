"""Pictures of regressors over one feature, and of decision functions as surfaces."""

import numpy as np
import pytest
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.svm import SVC

import trivium
from trivium.errors import DataError, OptionError

pytestmark = pytest.mark.plain

ORANGE = (0xD5, 0x5E, 0x00)


@pytest.fixture(scope="module")
def sine():
    x = np.linspace(0, 6, 80)
    return x, np.sin(x) + np.random.default_rng(0).normal(0, 0.2, 80)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def test_the_line_runs_where_the_estimator_predicts(sine, tmp_path):
    x, y = sine
    trivium.plots.regression_lines(Ridge().fit(x[:, None], y), x, y, tmp_path / "line.png", curve=np.sin)
    rows, columns = np.nonzero((abs(pixels(tmp_path / "line.png") - ORANGE) < 8).all(axis=-1))
    inside = rows < rows.max() - 20  # without the legend
    slope, _ = np.polyfit(columns[inside], rows[inside], 1)
    assert slope > 0.3, "it falls: rows are counted from above"
    bent = np.abs(np.polyval(np.polyfit(columns[inside], rows[inside], 1), columns[inside]) - rows[inside])
    assert bent.max() < 4, "and it is straight"


def test_several_curves_stand_side_by_side(sine, tmp_path):
    x, y = sine
    by_degree = {f"degree {n}": make_pipeline(PolynomialFeatures(n), Ridge(1e-3)).fit(x[:, None], y) for n in (1, 2, 5)}
    trivium.plots.regression_lines(by_degree, x[:, None], y, tmp_path / "three.png", title="polynomials")
    trivium.plots.regression_lines(by_degree["degree 1"], x, y, tmp_path / "one.png")
    assert pixels(tmp_path / "three.png").shape[1] > 1.5 * pixels(tmp_path / "one.png").shape[1]


def test_what_is_no_line_over_one_feature_is_refused(sine, tmp_path):
    x, y = sine
    line = Ridge().fit(x[:, None], y)
    with pytest.raises(DataError, match=r"one feature: expected samples \(n, 1\), received \(40, 2\)"):
        trivium.plots.regression_lines(line, x.reshape(40, 2), y[:40], tmp_path / "wrong.png")
    with pytest.raises(DataError, match=r"a value for each of the 80 samples, received \(3,\)"):
        trivium.plots.regression_lines(line, x, y[:3], tmp_path / "wrong.png")
    two = LinearRegression().fit(x[:, None], np.stack([y, y], axis=1))
    with pytest.raises(DataError, match=r"an estimator of one value, received \(400, 2\)"):
        trivium.plots.regression_lines(two, x, y, tmp_path / "wrong.png")


def test_a_decision_function_is_a_surface_and_a_view_from_above(tmp_path):
    from sklearn.datasets import make_blobs, make_moons

    points, moon = make_moons(100, noise=0.2, random_state=0)
    trivium.plots.decision_surface(SVC().fit(points, moon), points, moon, tmp_path / "svm.png", resolution=40)
    trivium.plots.decision_surface(
        LogisticRegression().fit(points, moon), points, moon, tmp_path / "turned.png", resolution=40, view=(70, 30)
    )
    wide, turned = pixels(tmp_path / "svm.png"), pixels(tmp_path / "turned.png")
    assert wide.shape[1] > 1.8 * wide.shape[0]
    assert not np.array_equal(wide, turned)
    three, kind = make_blobs(90, centers=3, random_state=0)
    trivium.plots.decision_surface(LogisticRegression().fit(three, kind), three, kind, tmp_path / "three.png")
    with pytest.raises(OptionError, match=r"KMeans has neither a decision function nor probabilities"):
        trivium.plots.decision_surface(KMeans(2, n_init=1).fit(points), points, moon, tmp_path / "wrong.png")
    with pytest.raises(DataError, match=r"in the plane"):
        trivium.plots.decision_surface(SVC(), points[:, :1], moon, tmp_path / "wrong.png")
