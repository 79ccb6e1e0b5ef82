"""Models with repeated structure; imported by tests only."""


def dense():
    """Return a densely connected network: three stages of four blocks, whose channels grow."""
    import keras
    from keras import layers

    x = image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same")(x)
    for stage in range(3):
        for block in range(4):
            name = f"conv{stage}_block{block}"
            y = layers.BatchNormalization(name=f"{name}_0_bn")(x)
            y = layers.ReLU(name=f"{name}_relu")(y)
            y = layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"{name}_conv")(y)
            x = layers.Concatenate(name=f"{name}_concat")([x, y])
        if stage < 2:
            x = layers.Conv2D(8, 1, name=f"pool{stage}_conv")(x)
            x = layers.AveragePooling2D(2, name=f"pool{stage}_pool")(x)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def transformer(masked=False):
    """Return four encoder blocks, whose layers have Keras' own names."""
    import keras
    from keras import layers

    x = sequence = keras.Input((6, 8))
    mask = keras.Input((6, 6), dtype="bool", name="visible")
    for _ in range(4):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(2, 4)(y, y, attention_mask=mask if masked else None)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(16, activation="gelu")(y)
        y = layers.Dropout(0.1)(y)
        y = layers.Dense(8)(y)
        x = layers.Add()([x, y])
    x = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    return keras.Model([sequence, mask] if masked else sequence, x)


def residual():
    """Return residual blocks, of which some change the channels and the size."""
    import keras
    from keras import layers

    x = image = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    for stage, (filters, count) in enumerate(((8, 3), (16, 2), (32, 4))):
        for block in range(count):
            name, first = f"conv{stage}_block{block}", block == 0
            stride = 2 if first and stage else 1
            y = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
            y = layers.BatchNormalization(name=f"{name}_1_bn", epsilon=1e-5)(y)
            y = layers.ReLU(name=f"{name}_1_relu")(y)
            y = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(y)
            y = layers.BatchNormalization(name=f"{name}_2_bn")(y)
            shortcut = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_0_conv")(x) if first else x
            x = layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, y]))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


MODELS = {
    "dense": dense,
    "transformer": transformer,
    "residual": residual,
    "masked": lambda: transformer(masked=True),
}
