"""Which second and third derivatives are right: layer by layer, mode by mode, tool by tool.

    pip install -e '.[network,peers]' && python benchmarks/conformance.py

Three tables, printed and written to mslbook/paper/conformance.json with all versions:

- modes: what `mslbook.probes.conformance` reports on each layer;
- products: H v of every tool on a small network with that layer, beside H by differences;
- settings: top eigenvalues and products where more than the layer matters.

The reference H is made of central differences of the gradient in double precision; the gradient is
first compared with differences of values. A tool is used as its documentation says; if that is not
right, then also with the best of some remedies. A tool that raises is a cell with its own words.
Takes a minute.
"""

import copy
import json
import platform
import statistics
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import eigsh
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from mslbook.losses.network import NetworkLoss
from mslbook.probes import conformance, sharpness

RESULTS = Path(__file__).parents[1] / "mslbook" / "paper" / "conformance.json"
PACKAGES = (
    *("mslbook", "torch", "numpy", "scipy"),
    *("curvlinops-for-pytorch", "hessian-eigenthings", "pyhessian", "backpack-for-pytorch"),
)
ROWS, CLASSES, SEEDS = 6, 3, 20
RIGHT = 1e-6  # relative error of what counts as right: differences are good to about 1e-9
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
warnings.simplefilter("ignore")


# --- networks, each with a layer to look at ------------------------------------------------------


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(4, 8), nn.Linear(8, CLASSES)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        x = self.embed(x)
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, CLASSES)

    def forward(self, x):
        return self.head(self.body(x)[0][:, -1])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.head(self.second(self.first(x).tanh()).tanh())


class Padded(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
        self.embed, self.head = nn.Embedding(10, 8), nn.Linear(8, CLASSES)
        self.body = nn.TransformerEncoder(layer, 1)

    def forward(self, tokens):
        hidden = self.body(self.embed(tokens), src_key_padding_mask=tokens == 0)
        return self.head(hidden.mean(1))


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Sequential(nn.Linear(4, 6), nn.Tanh()), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.head(checkpoint(self.first, x, use_reentrant=False))


def mlp(*between):
    return nn.Sequential(nn.Linear(4, 6), *between, nn.Tanh(), nn.Linear(6, CLASSES))


def image_network():
    convolution = nn.Conv2d(1, 2, 3, padding=1)
    return nn.Sequential(convolution, nn.Tanh(), nn.Flatten(), nn.Linear(32, CLASSES))


def tokens(padded=False):
    found = torch.randint(1, 10, (ROWS, 5))
    if padded:
        for row in range(ROWS):
            found[row, 2 + row % 4 :] = 0
    return found


CASES = {  # the layer: a network with it, its inputs, and the kind of the row of the report
    "Linear, tanh": (mlp, lambda: torch.randn(ROWS, 4), "Sequential"),
    "Conv2d": (image_network, lambda: torch.randn(ROWS, 1, 4, 4), "Conv2d"),
    "BatchNorm, train": (
        lambda: mlp(nn.BatchNorm1d(6)), lambda: torch.randn(ROWS, 4), "BatchNorm1d",
    ),
    "LayerNorm": (lambda: mlp(nn.LayerNorm(6)), lambda: torch.randn(ROWS, 4), "LayerNorm"),
    "GroupNorm": (lambda: mlp(nn.GroupNorm(2, 6)), lambda: torch.randn(ROWS, 4), "GroupNorm"),
    "RMSNorm": (lambda: mlp(nn.RMSNorm(6)), lambda: torch.randn(ROWS, 4), "RMSNorm"),
    "attention": (Attention, lambda: torch.randn(ROWS, 5, 4), "MultiheadAttention"),
    "LSTM": (Recurrent, lambda: torch.randn(ROWS, 5, 4), "LSTM"),
    "Embedding": (
        lambda: nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, CLASSES)),
        tokens, "Embedding",
    ),
    "tied weights": (Tied, lambda: torch.randn(ROWS, 4), "Tied"),
    "weight_norm": (
        lambda: mlp(parametrizations.weight_norm(nn.Linear(6, 6))),
        lambda: torch.randn(ROWS, 4), "ParametrizedLinear",
    ),
    "padded encoder": (Padded, lambda: tokens(padded=True), "TransformerEncoder"),
    "checkpointing": (Checkpointed, lambda: torch.randn(ROWS, 4), "Checkpointed"),
}  # fmt: skip


def made(name):
    """The network of a case, in train mode, its inputs and targets, the same on every call."""
    torch.manual_seed(0)
    network, inputs, _ = CASES[name]
    return network().train(), inputs(), torch.arange(ROWS) % CLASSES


# --- the reference -------------------------------------------------------------------------------


class Reference:
    """Gradient and Hessian of a criterion of a network on data, by first derivatives alone."""

    def __init__(self, model, inputs, targets, criterion):
        self.model, self.data, self.criterion = copy.deepcopy(model), (inputs, targets), criterion
        self.parameters = list(self.model.parameters())
        self.theta = nn.utils.parameters_to_vector(self.parameters).detach()
        self.hessian = self._hessian()

    def value(self, theta):
        nn.utils.vector_to_parameters(theta, self.parameters)
        inputs, targets = self.data
        return self.criterion(self.model(inputs), targets)

    def gradient(self, theta):
        gradients = torch.autograd.grad(self.value(theta), self.parameters)
        return torch.cat([g.reshape(-1) for g in gradients])

    def _hessian(self):
        gradient, v = self.gradient(self.theta), torch.randn(len(self.theta))
        v = gradient / gradient.norm() + v / v.norm()
        slope = difference(lambda x: self.value(x).detach(), self.theta, v)
        error = abs(slope / (gradient @ v) - 1)
        assert error < RIGHT, f"the gradient is wrong by {error:.0e}: no reference"
        columns = [difference(self.gradient, self.theta, e) for e in torch.eye(len(self.theta))]
        hessian = torch.stack(columns)
        asymmetry = (hessian - hessian.T).norm() / hessian.norm()
        assert asymmetry < RIGHT, f"the reference is asymmetric by {asymmetry:.0e}"
        return (hessian + hessian.T) / 2


def difference(function, x, v, h=1e-4):
    """The derivative along v by central differences of fourth order."""
    near = function(x + h * v) - function(x - h * v)
    far = function(x + 2 * h * v) - function(x - 2 * h * v)
    return (8 * near - far) / (12 * h)


# --- the tools: products, and top eigenvalues with default arguments -----------------------------


def mslbook_loss(model, batches, criterion):
    return NetworkLoss(model, batches[0] if len(batches) == 1 else batches, criterion)


def mslbook_product(model, batches, criterion, v):
    loss = mslbook_loss(model, batches, criterion)
    return loss.hvp(loss.theta, v)


def mslbook_top(model, batches, criterion, seed):
    loss = mslbook_loss(model, batches, criterion)
    return sharpness(loss, loss.theta, seed=seed).values[0]


def torch_product(model, batches, criterion, v):
    ((inputs, targets),) = batches
    parameters = dict(model.named_parameters())

    def loss(theta):
        pieces = dict(zip(parameters, split(theta, parameters.values()), strict=True))
        return criterion(torch.func.functional_call(model, pieces, (inputs,)), targets)

    return torch.func.hessian(loss)(joined(parameters.values())) @ v


def curvlinops_operator(model, batches, criterion, **options):
    operator = import_module("curvlinops").HessianLinearOperator
    return operator(model, criterion, list(model.parameters()), batches, **options)


def curvlinops_product(model, batches, criterion, v, **options):
    return curvlinops_operator(model, batches, criterion, **options) @ v


def curvlinops_top(model, batches, criterion, seed, **options):
    operator = curvlinops_operator(model, batches, criterion, **options).to_scipy()
    start = np.random.default_rng(seed).standard_normal(operator.shape[0])
    return eigsh(operator, k=1, which="LM", return_eigenvectors=False, v0=start)[0]


def eigenthings_operator(model, batches, criterion, **options):
    eigenthings = import_module("hessian_eigenthings")
    loss = eigenthings.supervised_loss(criterion)
    return eigenthings.HessianOperator(model, batches, loss, **options)


def eigenthings_product(model, batches, criterion, v, **options):
    return eigenthings_operator(model, batches, criterion, **options).matvec(v)


def eigenthings_top(model, batches, criterion, seed, **options):
    operator = eigenthings_operator(model, batches, criterion)
    lanczos = import_module("hessian_eigenthings").lanczos
    return lanczos(operator, k=1, seed=seed, **options).eigenvalues[0]


def pyhessian_computer(model, batches, criterion):
    hessian = import_module("pyhessian").hessian
    if len(batches) == 1:
        return hessian(model, criterion, data=batches[0], cuda=False)
    return hessian(model, criterion, dataloader=batches, cuda=False)


def pyhessian_product(model, batches, criterion, v):
    computer = pyhessian_computer(model, batches, criterion)
    parts = split(v, computer.params)
    if len(batches) > 1:
        return joined(computer.dataloader_hv_product(parts)[1])
    product = import_module("pyhessian.utils").hessian_vector_product
    return joined(product(computer.gradsH, computer.params, parts))


def pyhessian_top(model, batches, criterion, seed, **options):
    computer = pyhessian_computer(model, batches, criterion)
    torch.manual_seed(seed)
    return computer.eigenvalues(**options)[0][0]


def backpack_product(model, batches, criterion, v):
    product = import_module("backpack.hessianfree.hvp").hessian_vector_product
    ((inputs, targets),) = batches
    parameters = list(model.parameters())
    return joined(product(criterion(model(inputs), targets), parameters, split(v, parameters)))


def backpack_diagonal(model, batches, criterion, _, **options):
    backpack = import_module("backpack")
    extension = import_module("backpack.extensions").DiagHessian()
    ((inputs, targets),) = batches
    model, criterion = backpack.extend(model, **options), backpack.extend(copy.deepcopy(criterion))
    loss = criterion(model(inputs), targets)
    with backpack.backpack(extension):
        loss.backward()
    return joined([p.diag_h for p in model.parameters()])


def split(v, parameters):
    parameters = list(parameters)
    pieces = v.split([p.numel() for p in parameters])
    return [piece.view(p.shape) for piece, p in zip(pieces, parameters, strict=True)]


def joined(tensors):
    return torch.cat([one.detach().reshape(-1) for one in tensors])


@dataclass
class Use:
    """How a tool is used: in a context, on a model and data made ready for it, with arguments."""

    context: Callable = nullcontext
    model: Callable = copy.deepcopy
    batches: Callable = list
    arguments: dict = field(default_factory=dict)


def in_one_batch(batches):
    return [tuple(torch.cat(tensors) for tensors in zip(*batches, strict=True))]


def without_running_statistics(model):
    return torch.func.replace_all_batch_norm_modules_(copy.deepcopy(model))


DOCUMENTED = Use()
REMEDIES = {
    "sdpa_kernel(MATH)": Use(context=lambda: sdpa_kernel(SDPBackend.MATH)),
    "replace_all_batch_norm_modules_": Use(model=without_running_statistics),
    "one batch": Use(batches=in_one_batch),
}
PRODUCTS = {  # the tool: its product, and remedies of its own
    "mslbook": (mslbook_product, {}),
    "torch.func.hessian": (torch_product, {}),
    "curvlinops": (
        curvlinops_product,
        {"check_deterministic=False": Use(arguments={"check_deterministic": False})},
    ),
    "hessian-eigenthings": (
        eigenthings_product,
        {'method="finite_difference"': Use(arguments={"method": "finite_difference"})},
    ),
    "PyHessian": (pyhessian_product, {}),
    "BackPACK, product": (backpack_product, {}),
    "BackPACK, DiagHessian": (
        backpack_diagonal,
        {"use_converter=True": Use(arguments={"use_converter": True})},
    ),
}
SEVERAL_BATCHES = ("mslbook", "curvlinops", "hessian-eigenthings", "PyHessian")  # which take them
TOPS = {
    "mslbook": (mslbook_top, {}),
    "curvlinops": (
        curvlinops_top,
        {"check_deterministic=False": Use(arguments={"check_deterministic": False})},
    ),
    "hessian-eigenthings": (eigenthings_top, {"max_iter=40": Use(arguments={"max_iter": 40})}),
    "PyHessian": (
        pyhessian_top,
        {"maxIter=1000, tol=1e-6": Use(arguments={"maxIter": 1000, "tol": 1e-6})},
    ),
}


# --- measurements --------------------------------------------------------------------------------


def attempt(measure, use):
    """A number, or the words of what was raised."""
    try:
        with use.context():
            return rounded(measure(use))
    except Exception as error:  # whatever a tool has to say
        words = (str(error).strip() or "no words").splitlines()[0]
        return f"{type(error).__name__}: {words}"


def rounded(answer):
    """A number to four digits, or words as they are."""
    return answer if isinstance(answer, str) else float(f"{float(answer):.3e}")


def measured(measure, remedies):
    """The error of the documented use; if it is not right, also with the remedy that is best."""
    found = {"documented": attempt(measure, DOCUMENTED)}
    if isinstance(found["documented"], float) and found["documented"] <= RIGHT:
        return found
    answers = {name: attempt(measure, use) for name, use in (REMEDIES | remedies).items()}
    numbers = {name: answer for name, answer in answers.items() if isinstance(answer, float)}
    best = min(numbers, key=numbers.get, default=None)
    before = found["documented"]
    if best and (isinstance(before, str) or numbers[best] < before / 2):
        found |= {"remedy": best, "with remedy": numbers[best]}
    return found


def product_errors(model, batches, criterion, reference, tools=tuple(PRODUCTS)):
    """The relative errors of the tools' products, or of a diagonal."""
    v, found = torch.randn(len(reference.theta)), {}
    for tool in tools:
        product, remedies = PRODUCTS[tool]
        hessian = reference.hessian
        exact = hessian.diagonal() if product is backpack_diagonal else hessian @ v

        def error(use, product=product, exact=exact):
            answer = product(use.model(model), use.batches(batches), criterion, v, **use.arguments)
            return (answer - exact).norm() / exact.norm()

        found[tool] = measured(error, remedies)
    return found


def top_errors(model, batches, criterion, reference):
    """The relative errors of the tools' largest eigenvalues, the median over start vectors."""
    exact, found = float(torch.linalg.eigvalsh(reference.hessian)[-1]), {}
    for tool, (top, remedies) in TOPS.items():

        def error(use, top=top):
            data = use.batches(batches)
            answers = (
                top(use.model(model), data, criterion, seed, **use.arguments)
                for seed in range(SEEDS)
            )
            return statistics.median(abs(float(answer) / exact - 1) for answer in answers)

        found[tool] = measured(error, remedies)
    return found


def modes():
    found = {}
    for name, (*_, kind) in CASES.items():
        model, inputs, _ = made(name)
        report = conformance((model, inputs))
        row = next(row for at, row in report.errors.items() if at.split()[0] == kind)
        found[name] = {quantity: rounded(error) for quantity, error in row.items()}
    return found


def products():
    found, criterion = {}, nn.CrossEntropyLoss()
    for name in CASES:
        model, inputs, targets = made(name)
        reference = Reference(model, inputs, targets, criterion)
        found[name] = product_errors(model, [(inputs, targets)], criterion, reference)
    return found


def settings():
    """Products over uneven batches, and the largest eigenvalue with default arguments."""
    model, inputs, targets = made("Linear, tanh")
    batches, found = [(inputs[:4], targets[:4]), (inputs[4:], targets[4:])], {}
    for name, weight in {"": None, ", class weights": torch.tensor([1.0, 5.0, 20.0])}.items():
        criterion = nn.CrossEntropyLoss(weight)
        reference = Reference(model, inputs, targets, criterion)
        found[f"product, batches of 4 and 2{name}"] = product_errors(
            model, batches, criterion, reference, SEVERAL_BATCHES
        )
    criterion = nn.CrossEntropyLoss()
    for name in ("Linear, tanh", "BatchNorm, train"):
        model, inputs, targets = made(name)
        reference = Reference(model, inputs, targets, criterion)
        found[f"largest eigenvalue, {name}"] = top_errors(
            model, [(inputs, targets)], criterion, reference
        )
    return found


def versions():
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


# --- the tables ----------------------------------------------------------------------------------


def in_words(answer):
    if isinstance(answer, str):
        return answer
    if answer <= RIGHT:
        return "right"
    return f"{float(f'{100 * answer:.1e}'):g} %" if answer >= 1e-3 else f"{answer:.0e}"


def cell(answer):
    words = in_words(answer["documented"])
    if "remedy" in answer:
        words += f"; {answer['remedy']}: {in_words(answer['with remedy'])}"
    return words


def table(title, rows, words):
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f"\n## {title}\n\n| | {' | '.join(columns)} |\n{'| --- ' * (len(columns) + 1)}|")
    for name, row in rows.items():
        cells = (words(row[column]) if column in row else "" for column in columns)
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    found = {"versions": versions(), "modes": modes(), "products": products()}
    found["settings"] = settings()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(", ".join(f"{package} {number}" for package, number in found["versions"].items()))
    table("Modes of torch", found["modes"], in_words)
    table("Products of the tools", found["products"], cell)
    table("Settings", found["settings"], cell)


if __name__ == "__main__":
    main()
