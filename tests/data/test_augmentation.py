"""Augmentation changes each training image in its own way, in the same way for equal keys, and only in training."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform

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
        ({"rotate": 10}, "'rotate' is none of rotation, shift, zoom, flip, .*; did you mean 'rotation'"),
        ({}, "expected one or more of rotation, shift, zoom, flip, .*, fill_value with a value, received {}"),
        ("rotation=10", "expected one or more of rotation, .* with a value, received 'rotation=10'"),
        ({"rotation": "much"}, "augmentation rotation must be a number, received 'much'"),
        ({"shift": 2}, "augmentation shift must be from 0 to 1, received 2"),
        ({"flip": "sideways"}, "augmentation flip must be horizontal or vertical"),
        ({"shear": 90}, "augmentation shear must be from 0 to 80, received 90"),
        ({"brightness": -0.1}, "augmentation brightness must be from 0 to 1, received -0.1"),
        ({"contrast": 1.5}, "augmentation contrast must be from 0 to 1, received 1.5"),
        ({"channel_shift": 20}, "augmentation channel_shift must be from 0 to 1, received 20"),
        ({"fill": "mirror"}, "augmentation fill must be nearest or constant or reflect or wrap, received 'mirror'"),
        ({"shift": 0.1, "shift_x": 0.1}, "augmentation shift is both shift_x and shift_y: leave it out, or them"),
        ({"shift": 0.1, "fill_value": 9}, "augmentation fill_value is the value of a constant fill: add fill=constant"),
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


def test_a_shift_of_one_axis_leaves_the_other():
    down, right = places(Augmentation(shift_x=0.2)(dots(radius=0), (1,))).T
    np.testing.assert_allclose(down, 0, atol=1e-5)
    assert right.min() < -3.8
    down, right = places(Augmentation(shift_y=0.2)(dots(radius=0), (1,))).T
    np.testing.assert_allclose(right, 0, atol=1e-5)
    assert down.max() > 3.8


def test_a_shear_leans_upright_lines_up_to_its_limit_and_keeps_level_ones():
    images = np.zeros((200, 21, 21), "float32")
    images[:, :, 10] = 1
    columns = (Augmentation(shear=30)(images, (1,)) * np.arange(21)).sum(-1)
    lean = np.degrees(np.arctan((columns[:, 12] - columns[:, 8]) / 4))
    assert -30.1 < lean.min() < -27
    assert 27 < lean.max() < 30.1
    level = np.swapaxes(images, 1, 2)
    np.testing.assert_allclose(Augmentation(shear=30)(level, (1,)), level, atol=1e-6)


@pytest.mark.parametrize(
    ("fill", "mode"),
    [("nearest", "nearest"), ("constant", "grid-constant"), ("reflect", "reflect"), ("wrap", "grid-wrap")],
)
def test_a_map_of_a_picture_is_that_of_scipy_for_every_fill(fill, mode, generator):
    pictures = generator.random((40, 9, 7, 2)).astype("float32")
    changes = Augmentation(rotation=180, shift=1, zoom=0.9, shear=60, fill=fill, fill_value=0.5 * (fill == "constant"))
    maps = changes._maps(pictures.shape, np.random.default_rng((3,)))
    ours = changes(pictures, (3,))
    for picture, matrix, offset, our in zip(pictures, *maps, ours, strict=True):
        for channel in range(2):
            theirs = affine_transform(picture[..., channel], matrix, offset, order=1, mode=mode, cval=0.5)
            np.testing.assert_allclose(our[..., channel], theirs, atol=2e-6)


def test_brightness_scales_bytes_and_stays_within_them():
    images = np.full((300, 4, 4), 100, "uint8")
    images[:, 0, 0] = 250
    changed = Augmentation(brightness=0.5)(images, (1,))
    factor = changed[:, 1, 1] / 100
    assert 0.5 <= factor.min() < 0.51
    assert 1.49 < factor.max() <= 1.5
    np.testing.assert_allclose(changed[:, 0, 0], np.minimum(250 * factor, 255), rtol=1e-6)


def test_floats_stay_between_the_lowest_and_the_highest_value_of_their_picture(generator):
    images = generator.uniform(-1, 1, (50, 6, 6, 3)).astype("float32")
    images[0] *= 0.1
    changed = Augmentation(brightness=0.9, contrast=0.9, channel_shift=0.5)(images, (1,))
    assert (changed.max((1, 2, 3)) <= images.max((1, 2, 3))).all()
    assert (changed.min((1, 2, 3)) >= images.min((1, 2, 3))).all()
    assert not np.allclose(changed, images, atol=0.1)


def test_contrast_moves_values_from_the_mean_of_their_channel():
    images = np.zeros((300, 2, 2, 2), "uint8")
    images[:, 0, :, 0], images[:, 1, :, 0], images[..., 1] = 80, 120, 30
    changed = Augmentation(contrast=0.5)(images, (1,))
    np.testing.assert_allclose(changed[..., 1], 30, rtol=1e-5)
    np.testing.assert_allclose(changed[..., 0].mean((1, 2)), 100, rtol=1e-5)
    spread = changed[:, 1, 0, 0] - changed[:, 0, 0, 0]
    assert 20 <= spread.min() < 21
    assert 59 < spread.max() <= 60.001


def test_each_channel_is_shifted_by_its_own_part_of_the_range():
    changed = Augmentation(channel_shift=0.2)(np.full((300, 3, 3, 3), 128, "uint8"), (1,)) - 128
    np.testing.assert_allclose(changed, np.broadcast_to(changed[:, :1, :1], changed.shape), atol=1e-4)
    assert -51.001 <= changed.min() < -50
    assert 50 < changed.max() <= 51.001
    assert abs(np.corrcoef(changed[:, 0, 0].T)[0, 1:]).max() < 0.2


def test_bytes_have_a_fill_value_of_bytes():
    with pytest.raises(DataError, match="augmentation fill_value must be from 0 to 255 for these pictures: 300"):
        augmented_bars({"shift": 0.1, "fill": "constant", "fill_value": 300}, (1,))


@pytest.mark.several_backends
def test_every_backend_changes_a_picture_in_the_same_way():
    changes = {"rotation": 15, "shift": 0.1, "zoom": 0.2, "flip": "horizontal", "shear": 10, "fill": "reflect"}
    changes |= {"brightness": 0.2, "contrast": 0.3, "channel_shift": 0.1}
    by_backend = [worker.get(b.name).call(f"{HERE}:augmented_bars", changes, [5, 6]) for b in catalog.trainers()]
    for other in by_backend[1:]:
        np.testing.assert_array_equal(other, by_backend[0])
