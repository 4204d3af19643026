"""The losses of the paper's figures, with its constants."""

from mslbook.losses.combine import Radial, Ridge, Scaled, Sum, Valley, crossed_valleys
from mslbook.losses.one_variable import F1, F2, Quadratic, Reciprocal, Saturation

#: Journal fig. 4.1 (left), preprint fig. 4 (left): convex, one variable.
f1 = F1()

#: Journal fig. 4.1 (middle), preprint fig. 4 (middle): not convex, one variable.
f2 = F2(C=3.0)

#: Journal fig. 4.1 (right), preprint fig. 4 (right): not convex, two variables.
f3 = Sum((Ridge(f2, (1, 0)), Ridge(f2, (1, 1)), Scaled(0.5, Radial(f1, dimension=2))))

#: Journal fig. 4.2, preprint fig. 5: a valley that gets flatter as x1 grows (x1 > -100).
valley = Valley(f1, h=Ridge(Reciprocal(), (0.01,)))

#: Journal fig. 5.1, preprint fig. 6: a wide valley along x1, crossed by a narrow one along x2.
two_valleys = crossed_valleys(
    f1, h=Quadratic(curvature=0.002, minimum=1.0), k=10, cutoff=Saturation(0.25)
)
