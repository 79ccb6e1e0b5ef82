"""Augmentation changes each training image in its own way, in the same way for equal keys, and only in training."""

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.data.augmentation import Augmentation
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError

HERE = __file__


def augmented_bars(changes, key):
    """Return sixteen augmented images of a bright bar."""
    return Augmentation.of(changes)(bars(), tuple(key))


def bars():
    images = np.zeros((16, 20, 20), "uint8")
    images[:, 4:16, 9:11] = 200
    return images


def test_a_mapping_becomes_an_augmentation_and_the_other_way_round():
    augmentation = Augmentation.of({"rotation": 10, "shift": 0.1, "zoom": 0.2, "flip": "horizontal"})
    assert augmentation == Augmentation(10.0, 0.1, 0.2, "horizontal")
    assert Augmentation.of(augmentation.to_json()) == augmentation == Augmentation.of(augmentation)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotate": 10}, "'rotate' is none of rotation, shift, zoom, flip; did you mean 'rotation'"),
        ({}, "expected one or more of rotation, shift, zoom, flip with a value, received {}"),
        ("rotation=10", "expected one or more of rotation, shift, zoom, flip with a value, received 'rotation=10'"),
        ({"rotation": "much"}, "augmentation rotation must be a number, received 'much'"),
        ({"shift": 2}, "augmentation shift must be from 0 to 1, received 2"),
        ({"flip": "sideways"}, "augmentation flip must be horizontal or vertical"),
    ],
)
def test_invalid_settings_are_refused(changes, message):
    with pytest.raises(OptionError, match=message):
        Augmentation.of(changes)


def test_each_picture_is_changed_in_its_own_way(backend):
    augmented = augmented_bars({"rotation": 20, "shift": 0.2}, (1, 2))
    assert (augmented.shape, augmented.dtype) == ((16, 20, 20), np.float32)
    assert len({image.tobytes() for image in augmented}) == 16
    assert augmented.min() >= 0
    assert augmented.max() <= 200


def test_equal_keys_give_equal_changes_whatever_came_between(backend):
    first = augmented_bars({"rotation": 20, "zoom": 0.2}, (1, 0))
    other = augmented_bars({"rotation": 20, "zoom": 0.2}, (1, 1))
    np.testing.assert_array_equal(augmented_bars({"rotation": 20, "zoom": 0.2}, (1, 0)), first)
    assert not np.array_equal(first, other)


def test_a_flip_mirrors_about_half_of_the_pictures_and_nothing_else(backend):
    ramp = np.tile(np.arange(8, dtype="float32"), (64, 8, 1))
    flipped = Augmentation(flip="horizontal")(ramp, (3,))
    mirrored = (flipped == ramp[:, :, ::-1]).all((1, 2))
    assert 16 <= mirrored.sum() <= 48
    np.testing.assert_array_equal(flipped[~mirrored], ramp[~mirrored])


def test_samples_that_are_not_images_are_refused(backend):
    with pytest.raises(DataError, match=r"augmentation is for pictures \(n, height, width\), received shape \(3, 4\)"):
        Augmentation(rotation=3)(np.zeros((3, 4)), (1,))


@pytest.mark.one_environment
def test_augmentation_affects_training_and_is_recorded_but_is_not_in_the_model(backend, digits):
    settings = {"options": {"units": 8}, "epochs": 1, "batch_size": 64}
    plain = Trainer("dense/one-hidden", **settings).fit(digits)
    run = Trainer("dense/one-hidden", augment={"rotation": 30}, **settings).fit(digits)
    assert run.history["loss"] != plain.history["loss"]
    assert run.settings["augment"]["rotation"] == 30
    assert [type(layer) for layer in run.model.layers] == [type(layer) for layer in plain.model.layers]


def dots(count=200, size=21, radius=5):
    """Pictures of a bright dot to the right of their middle."""
    images = np.zeros((count, size, size, 1), "float32")
    images[:, size // 2, size // 2 + radius] = 1
    return images


def places(images):
    """The places of the dots from the middle of each picture, (n, 2): down and to the right."""
    weights = images[..., 0] / images.sum((1, 2, 3))[:, None, None]
    steps = np.arange(images.shape[1]) - images.shape[1] // 2
    return np.stack([(weights * steps[:, None]).sum((1, 2)), (weights * steps).sum((1, 2))], axis=1)


def test_a_rotation_turns_pictures_round_their_middle_up_to_its_limit(generator):
    down, right = places(Augmentation(rotation=40)(dots(), (1,))).T
    np.testing.assert_allclose(np.hypot(down, right), 5, atol=0.15)
    angles = np.degrees(np.arctan2(down, right))
    assert angles.min() < -35
    assert 35 < angles.max() <= 41


def test_a_shift_moves_pictures_both_ways_up_to_its_share_of_them():
    moved = places(Augmentation(shift=0.2)(dots(radius=0), (1,)))
    assert moved.min() < -3.8
    assert 3.8 < moved.max() <= 4.2
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.2


def test_a_zoom_makes_pictures_larger_or_smaller_by_its_share_round_their_middle():
    down, right = places(Augmentation(zoom=0.5)(dots(), (1,))).T
    np.testing.assert_allclose(down, 0, atol=1e-5)
    assert 5 / 1.5 - 0.4 <= right.min() < 3.6  # a dot may lie between pixels
    assert 9 < right.max() <= 10.1


def test_new_pixels_at_a_border_repeat_it_and_channels_move_together():
    stripes = np.tile(np.arange(12, dtype="float32")[:, None, None], (30, 1, 12, 3)) * (1.0, 2.0, 3.0)
    moved = Augmentation(shift=0.3)(stripes, (4,))
    np.testing.assert_allclose(moved[..., 1:], moved[..., :1] * (2.0, 3.0), rtol=1e-6)
    assert moved[..., 0].min() == 0
    assert moved[..., 0].max() == 11
    np.testing.assert_allclose(moved[:, :, :1, 0], moved[:, :, 5:6, 0], atol=1e-5)


@pytest.mark.several_backends
def test_every_backend_changes_a_picture_in_the_same_way():
    changes = {"rotation": 15, "shift": 0.1, "zoom": 0.2, "flip": "horizontal"}
    by_backend = [worker.get(b.name).call(f"{HERE}:augmented_bars", changes, [5, 6]) for b in catalog.trainers()]
    for other in by_backend[1:]:
        np.testing.assert_array_equal(other, by_backend[0])
