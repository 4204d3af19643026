"""Ablations of figure 3.1: each training is the one it says."""

import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import choose  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.descent import iterate  # noqa: E402
from mslbook.losses import Quadratic  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.optimizers import Momentum  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.gradient_lines import variants  # noqa: E402
from mslbook.paper.subquadratic_growth import experiment as gradient_direction  # noqa: E402
from mslbook.paper.subquadratic_growth.experiment import (  # noqa: E402
    ABLATIONS,
    NETWORKS,
    Descent,
)

NAME, IMAGES = "fig3_1_choices", 12
SMALL = ABLATIONS.settings_for("digits", "small")
# One step from probe to probe, so that the line of each sees where the next one is.
TINY = replace(
    SMALL,
    images=IMAGES,
    choices=tuple(
        replace(choice, images=IMAGES, width=1 / 16, points=(0, 1, 2)) for choice in SMALL.choices
    ),
)
NAMES = [choice.name for choice in TINY.choices]


def shrink(patch):
    """Make the experiment tiny."""
    choose(patch, NAME, TINY)
    patch.setattr(gradient_direction, "TOL", 0.3)
    patch.setattr(gradient_direction, "SLICE", np.linspace(-2, 3, 21))


def run(folder):
    return experiments.run(NAME, folder=folder, progress=False)


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the experiment ran, and nothing interrupted it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        run(folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    return recording.load(folder / f"{NAME}-digits-small.npz")


@pytest.fixture(scope="module")
def found(whole):
    return variants(whole)


def by_hand(variant, distances):
    """Losses of the same training by torch's own optimiser, and of its first line downhill."""
    digits = data.load("digits")
    images = digits.train_images[:IMAGES].astype(float)
    larger = torch.tensor((images - images.mean()) / images.std()).float()
    x = torch.nn.functional.interpolate(larger, scale_factor=4).expand(-1, 3, -1, -1)
    y = torch.tensor(digits.train_labels[:IMAGES])
    model = NETWORKS[variant.network](10, variant.width, seed=0)
    parameters = list(model.parameters())

    def loss():
        if variant.loss == "cross-entropy":
            return torch.nn.functional.cross_entropy(model(x), y)
        return ((model(x) - torch.eye(10)[y]) ** 2).sum() / (2 * IMAGES)

    start = [p.detach().clone() for p in parameters]
    slopes, line = torch.autograd.grad(loss(), parameters), []
    for t in distances:
        for p, begin, slope in zip(parameters, start, slopes, strict=True):
            p.data = begin - t * variant.unit * slope
        line.append(loss().item())
    for p, begin in zip(parameters, start, strict=True):
        p.data = begin
    optimiser, losses = torch.optim.SGD(parameters, variant.lr, variant.momentum), []
    for _ in range(variant.points[-1] + 1):
        optimiser.zero_grad()
        value = loss()
        losses.append(value.item())
        value.backward()
        optimiser.step()
    return losses, line


@pytest.mark.parametrize("variant", TINY.choices, ids=NAMES)
def test_losses_and_lines_are_those_of_training_by_hand(found, variant):
    its = found[variant.name]
    losses, line = by_hand(variant, its["slice_steps"])
    np.testing.assert_allclose(its["losses"], losses, rtol=2e-3)
    np.testing.assert_allclose(its["slices"][0], line, rtol=2e-3)
    here, following = np.searchsorted(its["slice_steps"], [0, 1])
    np.testing.assert_allclose(its["slices"][:, here], its["losses"], rtol=1e-5)
    nexts = its["slices"][:-1, following], its["losses"][1:]
    if variant.momentum:  # which leaves the line
        assert not np.allclose(*nexts, rtol=1e-3)
    else:
        np.testing.assert_allclose(*nexts, rtol=1e-3)


def test_no_two_trainings_are_the_same(found):
    ends = [its["losses"][-1] for its in found.values()]
    assert len(set(ends)) == len(NAMES)


def test_shapes_are_those_promised_and_the_reader_takes_them_apart(found):
    assert list(found) == NAMES
    its = found["momentum"]
    assert its["lr"] == pytest.approx(0.12 / 1.9)
    assert its["losses"].shape == its["sharpness"].shape == (3,)
    assert its["slices"].shape == (3, 21)
    assert its["probe_steps"].tolist() == [0, 1, 2]
    units = its["slices"] / (2 * its["lr"] * its["gradient_norms"][:, None] ** 2)
    slopes = np.gradient(units, its["slice_steps"], axis=1)
    np.testing.assert_allclose(slopes[:, 8], -0.5, rtol=0.2)  # a central difference, over kinks


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_a_unit_is_what_the_edge_is_measured_in(momentum):
    """Descent comes to rest below 2/unit and blows up above it, the bottom half a unit off."""
    variant = Descent(1, 1.0, lr=0.3, points=(), momentum=momentum)
    for factor, grows in ((0.99, False), (1.01, True)):
        loss = Quadratic(factor * 2 / variant.unit)
        walk = iterate(loss, 1.0, optimizer=Momentum(variant.lr, momentum))
        far = [abs(float(state.theta)) for state, _ in zip(walk, range(2000), strict=False)]
        assert (far[-1] > 1) == grows
    bottom = 1.0 / (variant.unit * float(Quadratic(2 / variant.unit).grad(1.0)))
    assert bottom == pytest.approx(0.5)


def test_glorot_has_the_variance_of_its_name_and_the_random_numbers_of_he():
    he, glorot = (
        NETWORKS[name](10, 0.25, seed=3) for name in ("VGG11", "VGG11 with Glorot's variance")
    )
    for one, other in zip(he.features, glorot.features, strict=True):
        if isinstance(one, torch.nn.Conv2d):
            ratio = other.weight / one.weight
            torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))
            fans = 9 * (other.in_channels + other.out_channels)
            np.testing.assert_allclose(other.weight.std().item(), (2 / fans) ** 0.5, rtol=0.05)
    torch.testing.assert_close(he.classifier.weight, glorot.classifier.weight)


def test_tanh_takes_the_place_of_every_relu():
    model = NETWORKS["VGG11 with tanh"](10, 1 / 32, seed=0)
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(torch.nn.Tanh) == 8
    assert torch.nn.ReLU not in kinds


def test_a_checkpoint_depends_on_its_own_variant_alone(tiny, folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(NetworkLoss, "value_and_grad", None)  # there is nothing left to do
    monkeypatch.setattr("mslbook.losses.network.check_network", lambda loss: None)
    first, second, *_ = TINY.choices
    choose(monkeypatch, NAME, replace(TINY, choices=(second,)))
    assert len(variants(recording.load(run(tmp_path)))) == 1
    choose(monkeypatch, NAME, replace(TINY, choices=(first, replace(second, lr=0.01))))
    with pytest.raises(ValueError, match="cross-entropy.npz belongs to another run"):
        run(tmp_path)


@pytest.mark.parametrize("size", experiments.SIZES)
def test_one_thing_is_changed_at_a_time(size):
    chosen = ABLATIONS.settings_for("cifar10", size)
    baseline, *others = (asdict(variant) for variant in chosen.choices)
    for other in others:
        changed = {name for name in other if other[name] != baseline[name]}
        assert len(changed - {"name", "lr", "points"}) == 1
    assert all((np.diff(choice.points) % 2 == 1).all() for choice in chosen.choices)


def test_iterate_is_descent_without_momentum():
    """What the trainings with momentum, or without, go through."""
    loss = Quadratic(2.0)
    walks = iterate(loss, 1.0, 0.3), iterate(loss, 1.0, optimizer=Momentum(0.3, beta=0.0))
    for (one, other), _ in zip(zip(*walks, strict=False), range(5), strict=False):
        assert float(one.theta) == float(other.theta)
