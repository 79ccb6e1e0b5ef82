"""Run the command line and note the loss after each step: `noting.py FILE HOW ARGUMENTS`, under `KERAS_BACKEND`.

FILE gets a line for each step: its number in the epoch, from 1, and the mean loss of the epoch so far. The only changes
are that one step runs at a time, and, with `elu` as HOW, that every relu becomes an elu; `plain` leaves the model as it
is.
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
        Trainer._build_model = smooth(Trainer._build_model)
    run_chunk = epoch_loop.EpochLoop._run_chunk
    with open(path, "a") as notes:

        def run_and_note(loop, start):
            stop = run_chunk(loop, start)
            print(stop, repr(loop._training.loss()), file=notes)
            return stop

        epoch_loop._CHUNK_SECONDS = 0.0  # one step at a time
        epoch_loop.EpochLoop._run_chunk = run_and_note
        trivium(arguments)


def smooth(build_model):
    """Return a function that builds the same model with elu, whose slope has no jump."""
    import keras

    def make(*arguments):
        model = build_model(*arguments)
        for layer in model.layers:
            if getattr(layer, "activation", None) is keras.activations.relu:
                layer.activation = keras.activations.elu
        return model

    return make


if __name__ == "__main__":
    main()
