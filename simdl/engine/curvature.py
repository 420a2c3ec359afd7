"""Gradients of the mean loss over a whole data set, in inference mode: what curvature is of."""

from collections import namedtuple

from simdl._jit import njit
from simdl.engine.ops.views import matrix
from simdl.engine.passes import backward, batch_loss, forward
from simdl.kernels.copying import copy_rows
from simdl.kernels.statistics import squared_distance

# a float64 network over a data set: one PLAN and one RUN record, ops, tensors, scratch for losses
# (rows,) and targets (rows, m), the data x (n, inputs), t (n, m)
Twin = namedtuple("Twin", "plan run ops at losses targets x t")


@njit
def batch_gradient(twin, start, rows):
    """Fill twin.at.grads with the gradient of the mean loss of `rows` samples from `start` on."""
    plan, run, at = twin.plan[0], twin.run[0], twin.at
    run.rows, run.training = rows, 0
    copy_rows(matrix(at.arena, 0, rows, plan.n_input), twin.x[start : start + rows])
    copy_rows(twin.targets, twin.t[start : start + rows])
    forward(twin.ops, run, at)
    y = matrix(at.arena, plan.output, rows, plan.n_output)
    dy = matrix(at.deltas, plan.output, rows, plan.n_output)
    batch_loss(plan, twin.losses[:rows], dy, y, twin.targets[:rows])
    backward(twin.ops, run, at)


@njit
def mean_gradient(out, twin):
    """Fill out (p,) with the gradient of the mean loss of all samples."""
    n, room = twin.x.shape[0], twin.plan[0].batch
    out[:] = 0.0
    for start in range(0, n, room):
        rows = min(room, n - start)
        batch_gradient(twin, start, rows)
        for i in range(out.size):
            out[i] += rows / n * twin.at.grads[i]


@njit
def gradient_variance(mean, twin):
    """Mean over the samples of |g_i - mean|^2, the trace of their gradients' covariance."""
    n = twin.x.shape[0]
    sum_of_distances = 0.0
    for i in range(n):
        batch_gradient(twin, i, 1)
        sum_of_distances += squared_distance(twin.at.grads, mean)
    return sum_of_distances / n


@njit
def hessian_vector(out, twin, w, v, step, behind):
    """Fill out (p,) with H(w) v by the central difference (g(w + step v) - g(w - step v)) / 2 step.

    `behind` (p,) is scratch; twin.at.params is left at w.
    """
    params = twin.at.params
    for i in range(w.size):
        params[i] = w[i] + step * v[i]
    mean_gradient(out, twin)
    for i in range(w.size):
        params[i] = w[i] - step * v[i]
    mean_gradient(behind, twin)
    for i in range(w.size):
        out[i] = (out[i] - behind[i]) / (2.0 * step)
        params[i] = w[i]
