"""Losses in closed form: what holds of all of them, and what of each."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from cases import BASIS, LOSSES

from mslbook import losses
from mslbook.losses import (
    F1,
    F2,
    Clip,
    Composed,
    Linear,
    PopulationLoss,
    Quadratic,
    Radial,
    Reciprocal,
    Ridge,
    Saturation,
    Scaled,
    Sum,
    Valley,
    crossed_valleys,
    f1,
    f2,
    f3,
    two_valleys,
    valley,
)


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def loss(request):
    return request.param


def points(loss, *batch, seed=1):
    """Random points and vectors, in the domain of Saturation and Reciprocal if need be."""
    rng = np.random.default_rng(seed)
    shape = batch if loss.dimension is None else (*batch, loss.dimension)
    x, v = 2 * rng.normal(size=shape), rng.normal(size=shape)
    return (np.abs(x) if isinstance(loss, Saturation | Reciprocal) else x), v


def dot(loss, a, b):
    return a * b if loss.dimension is None else (a * b).sum(-1)


def test_derivatives_agree_with_central_differences(loss):
    x, v = points(loss, 200)
    h = 3e-6
    slope = (loss.value(x + h * v) - loss.value(x - h * v)) / (2 * h)
    np.testing.assert_allclose(dot(loss, loss.grad(x), v), slope, rtol=1e-7, atol=1e-8)
    change = (loss.grad(x + h * v) - loss.grad(x - h * v)) / (2 * h)
    np.testing.assert_allclose(loss.hvp(x, v), change, rtol=1e-6, atol=1e-7)


def test_derivatives_agree_with_automatic_differentiation(loss, torch):
    if isinstance(loss, PopulationLoss):
        pytest.skip("passes through NumPy")
    x, v = map(torch.from_numpy, points(loss, 200))
    by_value = torch.func.grad(lambda x: loss.value(x).sum())
    torch.testing.assert_close(loss.grad(x), by_value(x), rtol=1e-12, atol=1e-13)
    by_gradient = torch.func.grad(lambda x: (by_value(x) * v).sum())
    torch.testing.assert_close(loss.hvp(x, v), by_gradient(x), rtol=1e-10, atol=1e-11)


def test_the_gradient_alone_is_the_one_beside_the_value(loss):
    """To the last bit: descent takes the one between the rows that it keeps, the other there."""
    for batch in ((), (50,), (4, 5)):
        x, _ = points(loss, *batch)
        np.testing.assert_array_equal(loss.grad(x), loss.value_and_grad(x)[1])


def test_hessian_is_symmetric(loss):
    x, v = points(loss, 50)
    _, w = points(loss, 50, seed=2)
    np.testing.assert_allclose(
        dot(loss, w, loss.hvp(x, v)), dot(loss, v, loss.hvp(x, w)), rtol=1e-10, atol=1e-12
    )


def test_numpy_and_torch_agree(loss, torch):
    x, v = points(loss, 4, 5)
    tx, tv = torch.from_numpy(x), torch.from_numpy(v)
    for ours, theirs in (
        (loss.value(x), loss.value(tx)),
        (loss.grad(x), loss.grad(tx)),
        (loss.hvp(x, v), loss.hvp(tx, tv)),
    ):
        assert isinstance(ours, np.ndarray)
        assert isinstance(theirs, torch.Tensor)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_single_precision_stays_single(loss, kind, request):
    x, v = points(loss, 30)
    convert = np.asarray if kind == "array" else request.getfixturevalue("torch").from_numpy
    x32, v32 = convert(x.astype("float32")), convert(v.astype("float32"))
    for out, exact in (
        (loss.value(x32), loss.value(x)),
        (loss.grad(x32), loss.grad(x)),
        (loss.hvp(x32, v32), loss.hvp(x, v)),
        (loss.hvp(x32, v), loss.hvp(x, v)),
    ):
        assert out.dtype == x32.dtype
        np.testing.assert_allclose(np.asarray(out), exact, rtol=1e-3, atol=1e-4)


def test_a_batch_equals_a_loop(loss):
    x, v = points(loss, 2, 3)
    shape = x.shape if loss.dimension is None else x.shape[:-1]
    assert loss.value(x).shape == shape
    assert loss.grad(x).shape == loss.hvp(x, v).shape == x.shape
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(loss.value(x)[i], loss.value(x[i]), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(loss.grad(x)[i], loss.grad(x[i]), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(loss.hvp(x, v)[i], loss.hvp(x[i], v[i]), rtol=1e-13, atol=1e-14)


def test_no_points_give_no_values(loss):
    x, v = points(loss, 0)
    assert loss.value(x).shape == (0,)
    assert loss.grad(x).shape == loss.hvp(x, v).shape == x.shape


def test_the_loss_at_nan_is_nan(loss):
    x, _ = points(loss, 3)
    x[1] = np.nan
    np.testing.assert_array_equal(np.isnan(loss.value(x)), [False, True, False])


def test_many_vectors_at_one_point():
    np.testing.assert_allclose(
        f3.hvp([1.0, 2.0], np.eye(2)), [f3.hvp([1.0, 2.0], e) for e in np.eye(2)]
    )
    np.testing.assert_array_equal(f1.hvp(1.0, [1.0, 2.0]), [0.5, 1.0])
    np.testing.assert_array_equal(Quadratic(3.0).hvp([1.0, 2.0], 1), [3.0, 3.0])


# --- numbers, lists and integers ---


def test_numbers_lists_and_integers_become_floating_point():
    assert isinstance(f1.value(-5), np.float64)
    assert isinstance(f2.value(0.1), np.float64)
    assert f1.value(-5) == f1.value(np.asarray(-5.0))
    assert valley.grad([1, 1]).dtype == np.float64
    np.testing.assert_array_equal(f1.value(np.array([1, 2])), f1.value([1.0, 2.0]))


def test_tensors_of_integers_become_floating_point(torch):
    assert f1.value(torch.tensor([1, 2])).dtype == torch.get_default_dtype()


@pytest.mark.parametrize("named", [f3, valley, two_valleys])
@pytest.mark.parametrize("x", [1.0, [1.0], [[1.0, 2.0, 3.0]], np.zeros((4, 3))])
def test_a_point_of_the_wrong_length_is_refused(named, x):
    shape = str(tuple(np.shape(x))).replace("(", r"\(").replace(")", r"\)")
    for method in (named.value, named.grad, lambda x: named.hvp(x, [1.0, 2.0])):
        with pytest.raises(ValueError, match=f"2 variables.*length 2, not the shape {shape}"):
            method(x)


def test_what_is_no_number_is_refused():
    for x in (1j, "five", [None]):
        with pytest.raises(TypeError, match="must hold real numbers"):
            f1.value(x)


def test_pieces_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="C must be positive and finite, not -1"):
        F2(-1)
    for cutoff in (Clip, Saturation):
        for height in (0, -1.0, np.inf, "1"):
            with pytest.raises(ValueError, match="height c of a cut-off must be positive and fin"):
                cutoff(height)
    with pytest.raises(ValueError, match="function of one variable, not a loss of 2"):
        Ridge(f3, (1, 0))
    with pytest.raises(ValueError, match=r"write Ridge\(h, \(1,\)\)"):
        Valley(f1, h=Reciprocal())
    with pytest.raises(ValueError, match="A must have 2 rows of one length"):
        Linear(f3, ((1, 0), (0, 1), (1, 1)))
    with pytest.raises(ValueError, match=r"the same number of variables, not \[None, 2\]"):
        Sum((f1, f3))


# --- the paper's functions ---


X = np.concatenate((np.logspace(-150, 6, 300), np.linspace(0.2, 0.3, 50)))


def exact_f1():
    """The formula in 400 digits; read as it stands, float64 would lose half of its own at 1e-8."""
    with localcontext() as context:
        context.prec = 400
        return [float((1 + Decimal(a)) * (1 + Decimal(a)).ln() - Decimal(a)) for a in X]


def test_f1_keeps_its_digits_near_the_minimum():
    np.testing.assert_allclose(f1.value(X), exact_f1(), rtol=3e-15)
    np.testing.assert_array_equal(f1.value(-X), f1.value(X))


def test_f1_of_a_tensor_keeps_its_digits_near_the_minimum(torch):
    np.testing.assert_allclose(f1.value(torch.from_numpy(X)), exact_f1(), rtol=3e-15)


def test_f1_at_its_minimum_and_at_infinity():
    assert (f1.value(0), f1.grad(0), f1.hvp(0, 1)) == (0, 0, 1)
    assert f1.value(np.inf) == np.inf


def test_f2_is_the_loss_averaged_over_uniform_data():
    """Journal eq. 6.2 from section 6: the mean of min(x² w², 1) over x uniform on [0, C]."""
    for C in (0.5, 3.0):
        data = (np.arange(200_000) + 0.5) / 200_000 * C
        w = np.array([-4.0, -1 / C, 0.1, 0.9, 1 / C, 20.0])
        mean = np.minimum(np.square(data * w[:, None]), 1).mean(axis=1)
        np.testing.assert_allclose(F2(C).value(w), mean, rtol=1e-6)


def test_f2_at_its_kink():
    just_beyond = np.nextafter(1 / 3, 1)
    assert f2.hvp(1 / 3, 1.0) == f2.hvp(-1 / 3, 1.0) == f2.hvp(0.0, 1.0) == 6
    np.testing.assert_allclose(f2.hvp([just_beyond, -just_beyond], 1.0), -12)
    np.testing.assert_allclose(f2.value([1 / 3, just_beyond]), 1 / 3, rtol=1e-15)
    np.testing.assert_allclose(f2.grad([1 / 3, just_beyond]), 2, rtol=1e-15)
    assert (f2.value(np.inf), f2.grad(np.inf)) == (1, 0)


def paper_f1(x):
    return (1 + np.abs(x)) * np.log(1 + np.abs(x)) - np.abs(x)


def paper_f2(x):
    with np.errstate(divide="ignore"):
        return np.where(np.abs(x) <= 1 / 3, 9 / 3 * x**2, 1 - 2 / (3 * 3 * np.abs(x)))


def paper_h(x1, x2):
    return paper_f1((1 + 0.001 * x1**2) * x2)


@pytest.mark.parametrize(
    ("ours", "papers"),
    [
        (f1, paper_f1),
        (f2, paper_f2),
        (f3, lambda x, y: paper_f2(x) + paper_f2(x + y) + 0.5 * paper_f1(np.hypot(x, y))),
        (valley, lambda x, y: paper_f1(y / (1 + 0.01 * x))),
        (
            two_valleys,
            lambda x, y: paper_h(x, y) + 0.25 * paper_h(y, 10 * x) / (1 + paper_h(y, 10 * x)),
        ),
    ],
    ids=["f1", "f2", "f3", "valley", "two_valleys"],
)
def test_the_captions_formulas(ours, papers):
    """Figs 4.1, 4.2 and 5.1, written out."""
    x, _ = points(ours, 1000)
    x = 10 * x
    coordinates = (x,) if ours.dimension is None else (x[..., 0], x[..., 1])
    np.testing.assert_allclose(ours.value(x), papers(*coordinates), rtol=1e-12, atol=1e-14)


def test_the_origin_of_radial_losses():
    """f3 at its minimum: 6 (e1 e1ᵀ + (1, 1)(1, 1)ᵀ) + I/2, and no gradient."""
    assert f3.value([0, 0]) == 0
    np.testing.assert_array_equal(f3.grad([0, 0]), [0, 0])
    np.testing.assert_allclose(f3.hvp([0, 0], np.eye(2)), [[12.5, 6.0], [6.0, 6.5]])


def test_the_origin_of_radial_losses_as_a_tensor(torch):
    x = torch.tensor([[0.0, 0.0], [1e-200, 0.0]], dtype=torch.float64)
    hessian = f3.hvp(x[:, None], torch.eye(2, dtype=torch.float64))
    np.testing.assert_allclose(hessian, 2 * [[[12.5, 6.0], [6.0, 6.5]]])


def test_ridges_over_an_orthonormal_basis():
    """Journal eq. 4.4: each function acts on its own component of x."""
    loss, (x, _) = LOSSES["Sum"], points(LOSSES["Sum"], 20)
    z = x @ BASIS
    parts = [f.value(z[:, i]) for i, f in enumerate((f1, f2, Quadratic()))]
    np.testing.assert_allclose(loss.value(x), sum(parts), rtol=1e-13)
    np.testing.assert_allclose(loss.hvp(np.zeros(3), BASIS.T), (BASIS * [1, 6, 1]).T, atol=1e-14)


def test_the_bottom_of_a_valley_is_flat():
    x = np.stack((np.linspace(-20, 20, 9), np.zeros(9)), axis=-1)
    np.testing.assert_array_equal(valley.value(x), 0)
    np.testing.assert_array_equal(valley.grad(x), 0)
    steepness = valley.hvp(x, [0.0, 1.0])[:, 1]  # f1''(0) h² = h²
    np.testing.assert_allclose(steepness, 1 / np.square(1 + 0.01 * x[:, 0]), rtol=1e-14)


def test_combinations_take_any_loss():
    class Cubic:
        dimension = 2

        def value(self, x):
            return (x**3).sum(-1)

        def grad(self, x):
            return 3 * x**2

        def hvp(self, x, v):
            return 6 * x * v

        def __repr__(self):
            return "Cubic"

    loss = Composed(Quadratic(2.0), Sum((Scaled(0.5, Cubic()), Linear(Cubic(), np.eye(2)))))
    x, v = np.array([1.0, -2.0]), np.array([3.0, 4.0])
    cubes, grad = -7.0, np.array([3.0, 12.0])
    np.testing.assert_allclose(loss.value(x), (1.5 * cubes) ** 2)
    np.testing.assert_allclose(loss.grad(x), 2 * 1.5**2 * cubes * grad)
    hvp = 2 * 1.5**2 * (grad * (grad @ v) + cubes * 6 * x * v)
    np.testing.assert_allclose(loss.hvp(x, v), hvp)
    assert "Cubic" in repr(loss)


def test_losses_say_how_to_make_them():
    for loss in (f1, f2, f3, valley, two_valleys, Ridge(F2(2), (1, -3))):
        assert eval(repr(loss), vars(losses)) == loss


def test_a_loss_may_be_a_key(loss):
    assert {loss: "seen"}[loss] == "seen"


def test_losses_are_values():
    assert F2(3.0) == f2
    assert hash(F2(3.0)) == hash(f2)
    assert Ridge(f1, np.array([1, 0])) == Ridge(f1, (1.0, 0.0))
    with pytest.raises(AttributeError):
        f2.C = 4.0


@pytest.mark.parametrize("k", [1, 0.5, -3, np.inf, None])
def test_the_second_valley_is_the_narrower_one(k):
    with pytest.raises(ValueError, match="k must be above 1 and finite"):
        crossed_valleys(f1, Quadratic(minimum=1.0), k, Clip(0.25))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: F2("x"), "C must be positive and finite, not 'x'"),
        (lambda: F2(None), "C must be positive and finite, not None"),
        (lambda: Radial(f1, dimension=2.0), "the dimension must be a whole number of at least 1"),
        (lambda: Radial(f1, dimension=None), "the dimension must be a whole number of at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda f: Ridge(f, (1, 2)),
        lambda f: Radial(f, 2),
        lambda f: Valley(f1, f),
        lambda f: Linear(f, ((1, 0), (0, 1))),
        lambda f: Composed(Clip(1.0), f),
        lambda f: Scaled(2.0, f),
        lambda f: Sum((f1, f)),
    ],
)
def test_losses_are_made_of_losses(make):
    with pytest.raises(TypeError, match="a plain function is not a loss, it has no dim"):
        make(lambda x: x * x)
    with pytest.raises(TypeError, match="F1'> is not a loss, it is a class"):
        make(F1)


@pytest.mark.gpu
def test_a_cuda_tensor_is_answered_in_kind(loss, cuda, torch):
    x, v = points(loss, 100)
    cx, cv = torch.from_numpy(x).cuda(), torch.from_numpy(v).cuda()
    for ours, theirs in (
        (loss.value(x), loss.value(cx)),
        (loss.grad(x), loss.grad(cx)),
        (loss.hvp(x, v), loss.hvp(cx, cv)),
    ):
        assert (theirs.device.type, theirs.dtype) == ("cuda", torch.float64)
        np.testing.assert_allclose(ours, theirs.cpu().numpy(), rtol=1e-12, atol=1e-13)
