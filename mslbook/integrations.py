"""A tracker in the training loops of other packages, which are imported when they are asked for."""

from importlib import import_module
from pathlib import Path

import torch


def lightning_callback(tracker):
    """Make a ``lightning.pytorch.Callback`` that steps a `SharpnessTracker` at each update."""

    class LightningCallback(import_module("lightning.pytorch").Callback):
        state_key = f"SharpnessTracker(probe={tracker.probe!r:.80}, every={tracker.every})"

        def on_train_start(self, trainer, module):
            self.updates = trainer.global_step
            tracker.optimizer = tracker.optimizer or trainer.optimizers[0]

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.global_step > self.updates:  # and not a batch whose gradient is added up
                self.updates = trainer.global_step
                tracker.step(batch)

        def state_dict(self):
            return tracker.state_dict()

        def load_state_dict(self, state):
            tracker.load_state_dict(state)

    return LightningCallback()


def hugging_face_callback(tracker):
    """Make a ``transformers.TrainerCallback`` that does so, with a file in every checkpoint."""

    class HuggingFaceCallback(import_module("transformers").TrainerCallback):
        def file(self, args, state):
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            return folder / "sharpness_tracker.pt"

        def on_train_begin(self, args, state, control, optimizer=None, **kwargs):
            if self.file(args, state).exists():  # resumed there
                tracker.load_state_dict(torch.load(self.file(args, state), weights_only=True))

        def on_step_end(self, args, state, control, optimizer=None, **kwargs):
            tracker.optimizer = optimizer
            tracker.step()

        def on_save(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                torch.save(tracker.state_dict(), self.file(args, state))

    return HuggingFaceCallback()
