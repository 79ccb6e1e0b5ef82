"""One sitting of a run: from its first epoch, or from the checkpoint it goes on from, to its end or an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...models.recipe import Recipe
from ..epochs import environment, plans
from ..epochs.callbacks import EpochClock, EpochLog, StopOnInterrupt
from ..runs.history import History
from ..runs.recorder import KeepRun
from ..runs.resume_rules import require_more, require_same

if TYPE_CHECKING:
    import keras

    from ..data.dataset import Dataset, Split
    from ..epochs.batches import Batches
    from ..runs.run_folder import RunFolder
    from .trainer import Trainer


class Sitting:
    """Watches the epochs of a trainer, and keeps them in a folder if there is one.

    Args:
        trainer: its settings are those in force.
        dataset: what it trains on.
        kept: the folder of the run, held by this process.

    Attributes:
        log, clock: what the run has come to, earlier sittings included.
        resumed: of each earlier end that the run went on from: after which epoch, and under which backend.

    Raises:
        OptionError: the run in the folder cannot go on with this trainer and these data.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, kept: RunFolder | None):
        self._trainer, self._kept = trainer, kept
        self._begin = kept.begin if kept else None
        self.stop = StopOnInterrupt(terminate=kept is not None)
        self.log, self.clock = EpochLog(), EpochClock(runtime.current())
        assert trainer.epochs is not None
        self._watching = trainer.watching.build(trainer.epochs, self._begin.epoch if self._begin else 0)
        self.resumed: list[dict[str, Any]] = []
        if kept:
            self._take_up(kept, dataset)

    def train(self, model: keras.Model, training: Split | Batches, validation: Split | None) -> None:
        """Run the epochs that are left.

        Raises:
            KeyboardInterrupt: before an epoch was finished.
        """
        watchers = [self.stop, self.clock, self.log, *self._watching]
        first = self._begin.epoch if self._begin else 0
        if self._begin and self._begin.stopped:  # all that is left is what the callbacks do at the end
            assert self._trainer.epochs is not None
            first = self._trainer.epochs
        keep = self._keeping()
        try:
            self._trainer.run_epochs(model, training, validation, watchers, first, keep)
        except KeyboardInterrupt:
            if not self.log.epochs:
                raise
            if keep:
                keep.save_now(model)
        finally:
            self.stop.release()

    def _take_up(self, kept: RunFolder, dataset: Dataset) -> None:
        """Make sure that the run can go on, take up what it had come to, and write down what is going to be trained."""
        trainer = self._trainer
        assert trainer.epochs is not None
        assert isinstance(trainer.recipe, Recipe)
        record = {
            "schema": 1,
            "recipe": trainer.recipe.name,
            "settings": trainer.settings,
            "dataset": dataset.describe(),
            "environment": environment.describe(),
        }
        if kept.record:
            require_same(kept.path, kept.record, record)
            require_more(kept.path, kept.record, kept.begin, trainer.epochs)
            self.resumed = [*kept.record.get("resumed", []), self._resumption()]
            self._choose_plan(kept.record)
        if self._begin:
            self.log.epochs = list(self._begin.history.epochs)
            self.clock.training_seconds = list(self._begin.training_seconds)
            self.clock.validation_seconds = list(self._begin.validation_seconds)
        kept.begin_run({**record, "asked": kept.asked, **({"resumed": self.resumed} if self.resumed else {})})

    def _resumption(self) -> dict[str, Any]:
        return {"after_epoch": self._begin.epoch if self._begin else 0, "backend": catalog.selected().name}

    def _choose_plan(self, record: Mapping[str, Any]) -> None:
        """Run the epochs as before where they were run under this backend: another way would round otherwise."""
        plan, before = record["settings"].get("plan"), record.get("environment")
        same = isinstance(before, dict) and before.get("backend") == catalog.selected().name
        alone = not self._trainer.spreading.several and isinstance(plan, dict) and plan.get("name") not in plans.SPREAD
        if same and isinstance(plan, dict) and alone and self._trainer.plan == plans.AUTO:
            self._trainer.plan = str(plan["name"])

    def _keeping(self) -> KeepRun | None:
        if not self._kept:
            return None
        remembering = [*self._watching, *self._trainer.callbacks]
        return KeepRun(self._kept, self._kept.rules, self.log, self.clock, self.stop, remembering, self._begin)

    @property
    def history(self) -> History:
        return History(self.log.epochs)
