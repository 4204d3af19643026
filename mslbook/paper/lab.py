"""A lab for a live kernel: choose a loss, an optimizer and a learning rate, and see a run."""

from itertools import islice

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from mslbook import losses
from mslbook.descent import iterate
from mslbook.optimizers import Adam, GradientDescent, Momentum, decays
from mslbook.paper.style import BLUE, DASHED, VERMILLION
from mslbook.probes import line, sharpness

OPTIMIZERS = {"gradient descent": GradientDescent, "momentum 0.9": Momentum, "Adam": Adam}
SCHEDULES = {"constant": 1.0, "tenfold decay halfway": 0.1}
STARTS = {"parabola": 1.0, "f1": 1.0, "f2": 1.0}  # of the losses in closed form
STARTS |= {"f3": (-2.0, 1.5), "valley": (0.0, 3.0), "two_valleys": (-20.0, 3.0)}
NETWORK = "a small network"
EXPLODED = 1e12  # a loss at which a run ends
PROBES = 40  # measurements of the sharpness along a run
SAYS = "The lab: choose a loss, an optimizer, η and a start, and run it, with a live kernel."
SLICE = np.linspace(-2, 3, 81)  # of the loss along the last gradient, in steps


def loss_and_start(name, scale=1.0):
    """The loss of a name and its start, times `scale`: one of `STARTS`, or 200 digits."""
    if name in STARTS:
        loss = losses.Quadratic() if name == "parabola" else getattr(losses, name)
        return loss, scale * np.asarray(STARTS[name])
    import torch

    from mslbook.data import load
    from mslbook.losses.network import NetworkLoss, half_squared_error
    from mslbook.networks import fully_connected

    images = load("digits")
    inputs = torch.tensor(images.train_images[:200, :1] / 16.0, dtype=torch.float32)
    labels = torch.tensor(images.train_labels[:200].astype(np.int64))
    loss = NetworkLoss(fully_connected([64, 32, 10]), (inputs, labels), half_squared_error)
    return loss, scale * loss.theta


def explore(
    name, optimizer="gradient descent", lr=1.0, schedule="constant", scale=1.0, steps=200, tick=None
):
    """Run an optimizer on a loss (a key of `STARTS`, or `NETWORK`), and measure on the way.

    A dict: ``steps`` and ``losses``, (T,), to the end or until it explodes; ``probed``,
    ``sharpness`` and ``edges``, (P,); ``slice``, the loss along the last gradient at `SLICE`.

    >>> from mslbook.paper.lab import explore
    >>> run = explore("f1", lr=5.0, steps=100)
    >>> float(abs(run["losses"][-1]).round(4))
    4.123
    """
    loss, start = loss_and_start(name, scale)
    rate = decays({0: lr, steps // 2: lr * SCHEDULES[schedule]})
    chosen, every = OPTIMIZERS[optimizer](rate), max(1, steps // PROBES)
    values, probed = [], []
    for state in islice(iterate(loss, start, optimizer=chosen), steps + 1):
        if not float(state.value) < EXPLODED:
            break
        last = state
        values.append(float(state.value))
        diagonal = chosen.precondition(state.state) if state.step else None
        if state.step % every == 0 and (state.step or optimizer != "Adam"):
            top = sharpness(loss, state.theta, preconditioner=diagonal).values[0]
            probed.append((state.step, float(top), chosen.edge(rate(state.step))))
        if tick is not None:
            tick()
    size = float((last.grad**2).sum()) ** 0.5
    distances = rate(last.step) * size * SLICE
    run = dict(zip(("probed", "sharpness", "edges"), np.transpose(probed), strict=True))
    run |= {"steps": np.arange(len(values)), "losses": np.array(values)}
    direction = -last.grad if size else last.grad + 1
    return run | {"slice": line(loss, last.theta, direction, distances)}


def draw(run):
    """Draw a run of `explore`: its loss, its sharpness beside the edge, and the last slice."""
    figure, (loss, sharp, cut) = plt.subplots(1, 3, figsize=(9.0, 2.8))
    loss.plot(run["steps"], run["losses"], color=VERMILLION)
    loss.set(xlabel="step", title="loss", yscale="log")
    sharp.plot(run["probed"], run["sharpness"], "-", color=VERMILLION)
    sharp.plot(run["probed"], run["edges"], **DASHED)
    sharp.set(xlabel="step", title="sharpness, and the edge (dashed)")
    cut.plot(SLICE, run["slice"], color=BLUE)
    cut.set(xlabel="steps downhill", title="loss along the last gradient")
    return figure


class Lab(widgets.VBox):
    """A loss, an optimizer, a learning rate, a schedule, a start; a run with its progress."""

    def __init__(self, name, lr):
        self.loss = widgets.Dropdown(options=[*STARTS, NETWORK], value=name, description="loss")
        self.optimizer = widgets.Dropdown(options=list(OPTIMIZERS), description="optimizer")
        self.lr = widgets.FloatText(value=lr, description="η", step=0.1)
        self.schedule = widgets.Dropdown(options=list(SCHEDULES), description="schedule")
        self.scale = widgets.FloatText(value=1.0, description="start ×", step=0.1)
        self.steps = widgets.IntText(value=200, description="steps")
        self.button = widgets.Button(description="Run", button_style="primary")
        self.progress = widgets.IntProgress()
        self.out = widgets.Output()
        self.button.on_click(self.run)
        above, below = [self.loss, self.optimizer, self.schedule], [self.lr, self.scale, self.steps]
        buttons = [self.button, self.progress]
        super().__init__([*map(widgets.HBox, (above, below, buttons)), self.out])

    def run(self, _=None):
        """Run what is chosen, and draw it; what cannot be run says why."""
        self.progress.value, self.progress.max = 0, self.steps.value + 1
        choice = {key: getattr(self, key).value for key in ("optimizer", "lr", "schedule", "scale")}
        self.out.clear_output(wait=True)
        with self.out:
            try:
                found = explore(self.loss.value, steps=self.steps.value, tick=self.tick, **choice)
            except (ValueError, FloatingPointError) as error:
                print(error)
            else:
                figure = draw(found)
                display(figure)
                plt.close(figure)

    def tick(self):
        """Move the progress bar by one step."""
        self.progress.value += 1

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and for a page without a kernel what it is and where it runs."""
        data = super()._repr_mimebundle_(**kwargs)
        html = f"<p>{SAYS} The rocket at the top of the page starts one.</p>"
        return data | {"text/plain": SAYS, "text/html": html}

    def __repr__(self):
        return SAYS
