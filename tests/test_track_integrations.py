"""The tracker within Lightning and within the Trainer of Hugging Face, where they are installed."""

import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from mslbook import SharpnessTracker, sharpness  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the other packages


def points():
    x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] * x[:, 1] > 0).long()


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))


def assert_same(one, other):
    for name in one.history.dtype.names:
        np.testing.assert_array_equal(one.history[name], other.history[name])


# --- Lightning ------------------------------------------------------------------------------------


@pytest.fixture
def lightning():
    """Lightning, without its messages."""
    package = pytest.importorskip("lightning.pytorch")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return package


def fit(lightning, tmp_path, own=False, tracked=True, updates=6, resume=None, **options):
    """The model and the tracker after a training by Lightning."""

    class Classifier(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = network()

        def forward(self, x):
            return self.network(x)

        def training_step(self, batch, number):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=0.01)
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + k))
            return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    module = Classifier()
    data = None if own else points()
    tracker = SharpnessTracker(module, data, nn.functional.cross_entropy, every=2)
    trainer = lightning.Trainer(
        max_steps=updates,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[tracker.lightning()] if tracked else [],
        **{"enable_checkpointing": False} | options,
    )
    loader = DataLoader(TensorDataset(*points()), batch_size=6)
    trainer.fit(module, loader, ckpt_path=resume)
    return module, tracker, trainer


@pytest.mark.parametrize("own", [False, True])
def test_lightning_steps_it(lightning, tmp_path, own):
    module, tracker, trainer = fit(lightning, tmp_path, own)
    assert tracker.history.step.tolist() == [1, 3, 5]
    assert tracker.history["converged"].all()
    # after k updates the schedule gives the rate of the next one
    np.testing.assert_allclose(tracker.history.edge, 3800 * np.array([2, 4, 6]))
    plain, _, _ = fit(lightning, tmp_path, tracked=False)
    assert trainer.global_step == 6
    for one, other in zip(module.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_lightning_counts_updates_and_not_batches(lightning, tmp_path):
    _, tracker, _ = fit(lightning, tmp_path, accumulate_grad_batches=2, max_epochs=10)
    assert tracker.updates == 6
    assert tracker.history.step.tolist() == [1, 3, 5]


def test_lightning_saves_it(lightning, tmp_path):
    _, whole, _ = fit(lightning, tmp_path)
    _, _, trainer = fit(lightning, tmp_path, updates=4, enable_checkpointing=True)
    trainer.save_checkpoint(tmp_path / "four.ckpt")
    saved = torch.load(tmp_path / "four.ckpt", weights_only=True)
    assert saved["callbacks"]["SharpnessTracker(2, sharpness)"]["updates"] == 4
    _, resumed, _ = fit(lightning, tmp_path, resume=tmp_path / "four.ckpt")
    assert resumed.updates == 6
    assert_same(resumed, whole)


# --- Hugging Face ---------------------------------------------------------------------------------


@pytest.fixture
def transformers(monkeypatch):
    """Transformers with Accelerate, without their messages."""
    pytest.importorskip("accelerate")
    package = pytest.importorskip("transformers")
    package.logging.set_verbosity_error()
    monkeypatch.setattr(package.Trainer, "log", lambda *args, **kwargs: None)
    return package


def language_model(transformers):
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    torch.manual_seed(2)
    return transformers.GPT2LMHeadModel(config)


def next_token(outputs, labels):
    logits = outputs.logits[:, :-1]
    return nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())


TOKENS = torch.randint(11, (8, 6), generator=torch.Generator().manual_seed(3))


def fine_tune(
    transformers, folder, tracked=True, updates=6, resume=None, every=2, probe=sharpness, **options
):
    model = language_model(transformers)
    data = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}, TOKENS
    tracker = SharpnessTracker(model, data, next_token, every=every, probe=probe)
    arguments = transformers.TrainingArguments(
        str(folder),
        max_steps=updates,
        per_device_train_batch_size=4,
        save_steps=2,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **{"weight_decay": 0.1} | options,
    )
    trainer = transformers.Trainer(
        model,
        arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in TOKENS],
        callbacks=[tracker.hugging_face()] if tracked else [],
    )
    trainer.train(resume_from_checkpoint=resume)
    return model, tracker


def test_hugging_face_steps_it(transformers, tmp_path):
    model, tracker = fine_tune(transformers, tmp_path / "one")
    assert tracker.history.step.tolist() == [1, 3, 5]
    assert tracker.history["converged"].all()
    np.testing.assert_allclose(tracker.history.edge, 3800)
    plain, _ = fine_tune(transformers, tmp_path / "two", tracked=False)
    for one, other in zip(model.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_hugging_face_counts_updates_and_not_batches(transformers, tmp_path):
    _, tracker = fine_tune(transformers, tmp_path, gradient_accumulation_steps=2)
    assert tracker.updates == 6


def test_hugging_face_in_mixed_precision(transformers, tmp_path):
    """What is measured is the network in single precision."""
    model, tracker = fine_tune(
        transformers, tmp_path, every=1, probe=value, bf16=True, weight_decay=0.0
    )
    single = language_model(transformers).eval()
    single.load_state_dict(model.state_dict())
    expected = next_token(single(input_ids=TOKENS), TOKENS)
    assert tracker.history.step[-1] == 6
    assert tracker.history.sharpness[-1] == pytest.approx(expected.item(), rel=1e-6)


def value(loss, theta, preconditioner):
    return loss.value(theta)


def test_hugging_face_saves_it(transformers, tmp_path):
    _, whole = fine_tune(transformers, tmp_path / "whole")
    fine_tune(transformers, tmp_path / "half", updates=4)
    _, resumed = fine_tune(transformers, tmp_path / "half", resume=True)
    assert resumed.updates == 6
    assert_same(resumed, whole)
