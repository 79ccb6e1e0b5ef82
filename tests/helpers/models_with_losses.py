"""Models with written losses, as a user's file has them: a VAE, a GAN, a siamese net, and a student of a teacher."""

import keras
from keras import layers, ops

import trivium


def vae(latent=2):
    encoder = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(2 * latent)])
    decoder = keras.Sequential([keras.Input((latent,)), layers.Dense(16, "relu"), layers.Dense(8)])

    def losses(networks, batch):
        mean, log_variance = ops.split(networks.encoder(batch.x), 2, axis=-1)
        codes = mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=batch.seed)
        rebuilt = ops.mean(ops.square(networks.decoder(codes) - batch.x))
        divergence = ops.mean(mean**2 + ops.exp(log_variance) - log_variance - 1) / 2
        return {"loss": rebuilt + divergence, "rebuilt": rebuilt, "divergence": divergence}

    x = keras.Input((8,))
    answers = keras.Model(x, decoder(encoder(x)[:, :latent]))
    return trivium.with_losses(answers, losses, encoder=encoder, decoder=decoder)


def gan():
    generator = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(8)])
    critic = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(1)])
    right = keras.losses.BinaryCrossentropy(from_logits=True)

    def critic_loss(networks, batch):
        real, fake = networks.critic(batch.y), networks.critic(networks.answers(batch.x))
        return right(ops.ones_like(real), real) + right(ops.zeros_like(fake), fake)

    def generator_loss(networks, batch):
        fake = networks.critic(networks.answers(batch.x))
        return right(ops.ones_like(fake), fake)

    return trivium.with_losses(
        generator,
        {"critic": critic_loss, "generator": generator_loss},
        trains={"critic": "critic", "generator": "answers"},
        optimizers={"critic": keras.optimizers.SGD(0.01)},
        critic=critic,
    )


def siamese():
    # What shifts all codes alike has no gradient but rounding.
    network = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, use_bias=False),
            layers.BatchNormalization(center=False),
            layers.Dense(3, use_bias=False),
        ]
    )

    def losses(networks, batch):
        codes = networks.answers(batch.x)
        squares = ops.sum(ops.square(codes[:, None] - codes[None, :]), axis=-1)
        alike = ops.cast(ops.equal(batch.y[:, None, 0] > 0.5, batch.y[None, :, 0] > 0.5), squares.dtype)
        return ops.mean(alike * squares + (1 - alike) * ops.maximum(0.0, 1 - squares))

    return trivium.with_losses(network, losses)


def student():
    def network(name, units):
        inner = [keras.Input((8,)), layers.Dense(units, "relu"), layers.Dropout(0.2), layers.Dense(8)]
        return keras.Sequential(inner, name=name)

    teacher = network("teacher", 32)
    teacher.trainable = False

    def losses(networks, batch):
        answers, taught = networks.answers(batch.x), networks.teacher(batch.x, training=False)
        return ops.mean(ops.square(answers - taught)) + ops.mean(ops.abs(answers - batch.y))

    return trivium.with_losses(network("student", 16), losses, teacher=teacher)


ALL = {"vae": vae, "gan": gan, "siamese": siamese, "student": student}
