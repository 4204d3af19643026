"""A tracker in the training loops of other packages, which are imported when they are asked for."""

from importlib import import_module
from pathlib import Path

import torch


def lightning_callback(tracker):
    """A ``lightning.pytorch.Callback`` that steps the tracker, and saves it in checkpoints."""

    class Tracking(import_module("lightning.pytorch").Callback):
        state_key = f"SharpnessTracker({tracker.every}, {getattr(tracker.probe, '__name__', '')})"
        state_dict, load_state_dict = tracker.state_dict, tracker.load_state_dict

        def on_train_start(self, trainer, module):
            self.updates = trainer.global_step
            if tracker.optimizer not in trainer.optimizers:
                tracker.optimizer = trainer.optimizers[0]

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.global_step > self.updates:  # not while gradients of batches add up
                self.updates = trainer.global_step
                tracker.step(batch)

    return Tracking()


def hugging_face_callback(tracker):
    """A ``transformers.TrainerCallback`` that steps the tracker, and saves it in checkpoints.

    It finds its file again where the checkpoint is in ``args.output_dir``. The tracker needs data.
    """

    class Tracking(import_module("transformers").TrainerCallback):
        def file(self, args, state):
            return Path(args.output_dir, f"checkpoint-{state.global_step}", "sharpness_tracker.pt")

        def on_train_begin(self, args, state, control, **kwargs):
            if self.file(args, state).exists():
                tracker.load_state_dict(torch.load(self.file(args, state), weights_only=True))

        def on_step_end(self, args, state, control, optimizer=None, **kwargs):
            tracker.optimizer, own = optimizer, vars(tracker.model)
            autocast = {"forward": own.pop("forward")} if "_original_forward" in own else {}
            tracker.step()  # in the precision of the parameters, without Accelerate's forward
            own.update(autocast)

        def on_save(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                torch.save(tracker.state_dict(), self.file(args, state))

    return Tracking()
