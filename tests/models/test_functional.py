"""Models with shared layers, and the table of recipes in the README."""

import numpy as np

from trivium.models import functional, table
from trivium.models import recipe as recipes


def test_training_one_model_changes_the_other(backend, digits):
    which, sees = functional.shared_pair()
    x = digits.train.x.reshape(300, -1).astype("float32") / 255
    before = sees.predict(x, verbose=0)
    which.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    which.fit(x, digits.train.y, epochs=1, verbose=0)
    assert np.abs(sees.predict(x, verbose=0) - before).max() > 1e-3
    for name in ("shared_wide", "shared_narrow"):
        assert which.get_layer(name) is sees.get_layer(name)


def test_the_shared_recipe_is_the_first_of_the_pair(backend):
    shared = recipes.find("functional/shared")()
    assert [layer.name for layer in shared.layers] == [layer.name for layer in functional.shared_pair()[0].layers]


def test_the_table_in_the_readme_is_up_to_date(request):
    readme = (request.config.rootpath / "README.md").read_text()
    assert table.table() in readme, "stale: replace it by what `python -m trivium.models.table` prints"
