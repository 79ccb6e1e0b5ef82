"""Runs the command line and notes the loss after each step: `noting.py FILE HOW ARGUMENTS`, under `KERAS_BACKEND`.

A line for each step: its number in the epoch, from 1, and the mean loss of the epoch so far. Nothing is replaced but
how many steps are run at a time, and what HOW says: `elu` to have it in the place of every relu, `plain` not to.
"""

import sys


def main():
    path, how, *arguments = sys.argv[1:]
    from trivium.backends import runtime

    runtime.current()
    from trivium.cli.main import main as trivium
    from trivium.engine.epochs import epoch_loop
    from trivium.engine.training.trainer import Trainer

    if how == "elu":
        Trainer._make_model = smooth(Trainer._make_model)
    piece = epoch_loop.Loop._piece
    with open(path, "a") as notes:

        def noted(loop, start):
            stop = piece(loop, start)
            print(stop, repr(loop._training.loss()), file=notes)
            return stop

        epoch_loop._PIECE_SECONDS = 0.0  # one step at a time
        epoch_loop.Loop._piece = noted
        trivium(arguments)


def smooth(make_model):
    """What makes the same model with elu, whose slope has no jump."""
    import keras

    def make(*given):
        model = make_model(*given)
        for layer in model.layers:
            if getattr(layer, "activation", None) is keras.activations.relu:
                layer.activation = keras.activations.elu
        return model

    return make


if __name__ == "__main__":
    main()
