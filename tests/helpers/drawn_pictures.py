"""Small pictures on disk for tests: folders of classes in mixed sizes, and pictures with masks; and models of them."""

import numpy as np
from PIL import Image

MODELS = """
import keras

def photo(classes, size=12):
    pooled = [keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((size, size, 3)), *pooled, keras.layers.Dense(classes, "softmax")])

def _pixels(classes, activation):
    layers = [
        keras.Input((None, None, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(6, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(classes, 1, activation=activation),
    ]
    return keras.Sequential(layers)

def softmax(classes):
    return _pixels(classes, "softmax")

def logits(classes):
    return _pixels(classes, None)

def sigmoid():
    return _pixels(1, "sigmoid")

def sigmoid_logits():
    return _pixels(1, None)
"""


def write_photos(path):
    """Write twelve pictures of each of two classes, in as many sizes: red ones and blue ones."""
    for number in range(24):
        values = np.zeros((14 + number, 30 - number, 3), "uint8")
        values[..., 2 * (number % 2)] = 130 + 5 * number
        file = path / ("red", "blue")[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(file)
    return path


def write_scenes(path, values=(0, 1, 7), count=20, size=(10, 12)):
    """Write pictures with a red and a green rectangle, and masks with the second and the third value in them."""
    generator = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (path / folder).mkdir(parents=True)
    for number in range(count):
        picture = generator.integers(40, 70, (*size, 3)).astype("uint8")
        mask = np.full(size, values[0], "uint8")
        for channel, value in enumerate(values[1:]):
            top, left = (int(generator.integers(0, side - 5)) for side in size)
            picture[top : top + 5, left : left + 5] = [220 * (channel == place) for place in range(3)]
            mask[top : top + 5, left : left + 5] = value
        Image.fromarray(picture).save(path / "images" / f"{number:02}.png")
        Image.fromarray(mask).save(path / "masks" / f"{number:02}.png")
    return path
