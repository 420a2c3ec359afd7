"""Pooling of images, channels last: the largest or the mean of each window, channel by channel.

Windows may overlap. The border around an image is never the largest, and counts as zeros in a
mean, as in PyTorch. Arrays: x, dx (n, height, width, c), y, dy (n, out_height, out_width, c).
"""

import numpy as np

from simdl._jit import njit


@njit
def max_pool_forward(y, x, window):
    """y = largest pixel of each window of x; NaN where there is one in the window"""
    if is_quartering(y, x, window):
        quarter_forward(y, x)
        return
    for i in range(y.shape[0]):
        for row in range(y.shape[1]):
            top, bottom = reach(row, window.stride_h, window.pad_top, window.size_h, x.shape[1])
            for column in range(y.shape[2]):
                left, right = reach(
                    column, window.stride_w, window.pad_left, window.size_w, x.shape[2]
                )
                best = y[i, row, column]
                best[:] = -np.inf
                for u in range(top, bottom):
                    for v in range(left, right):
                        pixel = x[i, u, v]
                        for j in range(best.size):
                            better = pixel[j] > best[j] or pixel[j] != pixel[j]
                            best[j] = pixel[j] if better else best[j]


@njit
def max_pool_backward(dx, dy, x, y, window, chosen):
    """dx = sum of dy over the windows whose largest pixel it is; scratch chosen (c,)

    Of equal pixels the first counts, of several NaN the last, as in PyTorch. Which one it was is
    found again from y.
    """
    if is_quartering(y, x, window):
        quarter_backward(dx, dy, x, y, chosen)
        return
    dx[:] = 0
    for i in range(y.shape[0]):
        for row in range(y.shape[1]):
            top, bottom = reach(row, window.stride_h, window.pad_top, window.size_h, x.shape[1])
            for column in range(y.shape[2]):
                left, right = reach(
                    column, window.stride_w, window.pad_left, window.size_w, x.shape[2]
                )
                best, share = y[i, row, column], dy[i, row, column]
                chosen[:] = -1
                for u in range(top, bottom):
                    for v in range(left, right):
                        pixel, place = x[i, u, v], chosen.dtype.type(u * x.shape[2] + v)
                        for j in range(best.size):
                            found = pixel[j] == best[j] and chosen[j] < 0
                            found = found or pixel[j] != pixel[j]
                            chosen[j] = place if found else chosen[j]
                for u in range(top, bottom):
                    for v in range(left, right):
                        to, place = dx[i, u, v], chosen.dtype.type(u * x.shape[2] + v)
                        for j in range(best.size):
                            to[j] = to[j] + share[j] if chosen[j] == place else to[j]


# --- windows of 2 by 2 side by side ---------------------------------------------------------------
# One loop a window instead of one a pixel: 28 x 28 x 16, batch 64, 202 us instead of 1040.


@njit(inline=True)
def is_quartering(y, x, window):
    """Whether windows are 2 by 2, lie side by side, and none reaches beyond the image."""
    two = window.size_h == 2 and window.size_w == 2
    apart = two and window.stride_h == 2 and window.stride_w == 2
    inside = 2 * y.shape[1] <= x.shape[1] and 2 * y.shape[2] <= x.shape[2]
    return apart and inside and window.pad_top == 0 and window.pad_left == 0


@njit(inline=True)
def larger(a, b):
    """The larger number; a NaN wins. `|`, since `or` would be a branch, and no vector."""
    return b if (b > a) | (b != b) else a


@njit
def quarter_forward(y, x):
    n, height, width, c = y.shape
    for i in range(n):
        for row in range(height):
            top, bottom = x[i, 2 * row], x[i, 2 * row + 1]
            for column in range(width):
                p, q = top[2 * column], top[2 * column + 1]
                r, s = bottom[2 * column], bottom[2 * column + 1]
                best = y[i, row, column]
                for j in range(c):
                    best[j] = larger(larger(p[j], q[j]), larger(r[j], s[j]))


@njit
def quarter_backward(dx, dy, x, y, chosen):
    """All of dx is written but for a line and a column that no window covers."""
    n, height, width, c = y.shape
    number = chosen.dtype.type
    if 2 * height < x.shape[1] or 2 * width < x.shape[2]:
        dx[:] = 0
    for i in range(n):
        for row in range(height):
            top, bottom = x[i, 2 * row], x[i, 2 * row + 1]
            for column in range(width):
                p, q = top[2 * column], top[2 * column + 1]
                r, s = bottom[2 * column], bottom[2 * column + 1]
                best, share = y[i, row, column], dy[i, row, column]
                for j in range(c):
                    m = best[j]
                    k = number(0) if p[j] == m else number(1) if q[j] == m else number(2)
                    k = number(3) if (k == 2) & (r[j] != m) else k
                    k = number(0) if p[j] != p[j] else k
                    k = number(1) if q[j] != q[j] else k
                    k = number(2) if r[j] != r[j] else k
                    chosen[j] = number(3) if s[j] != s[j] else k
                for u in range(4):
                    to, place = dx[i, 2 * row + u // 2, 2 * column + u % 2], number(u)
                    for j in range(c):
                        to[j] = share[j] if chosen[j] == place else number(0)


# --- means ----------------------------------------------------------------------------------------


@njit
def average_pool_forward(y, x, window):
    """y = mean of each window of x, its padding included"""
    count = y.dtype.type(window.size_h * window.size_w)
    for i in range(y.shape[0]):
        for row in range(y.shape[1]):
            top, bottom = reach(row, window.stride_h, window.pad_top, window.size_h, x.shape[1])
            for column in range(y.shape[2]):
                left, right = reach(
                    column, window.stride_w, window.pad_left, window.size_w, x.shape[2]
                )
                sums = y[i, row, column]
                sums[:] = 0
                for u in range(top, bottom):
                    for v in range(left, right):
                        pixel = x[i, u, v]
                        for j in range(sums.size):
                            sums[j] += pixel[j]
                for j in range(sums.size):
                    sums[j] /= count


@njit
def average_pool_backward(dx, dy, window):
    """dx = sum of dy / (size_h size_w) over the windows that the pixel lies in"""
    count = dx.dtype.type(window.size_h * window.size_w)
    dx[:] = 0
    for i in range(dy.shape[0]):
        for row in range(dy.shape[1]):
            top, bottom = reach(row, window.stride_h, window.pad_top, window.size_h, dx.shape[1])
            for column in range(dy.shape[2]):
                left, right = reach(
                    column, window.stride_w, window.pad_left, window.size_w, dx.shape[2]
                )
                share = dy[i, row, column]
                for u in range(top, bottom):
                    for v in range(left, right):
                        to = dx[i, u, v]
                        for j in range(share.size):
                            to[j] += share[j] / count


@njit
def global_average_forward(y, x):
    """y (n, c) = mean over the pixels of x (n, pixels, c)"""
    count = y.dtype.type(x.shape[1])
    for i in range(y.shape[0]):
        sums = y[i]
        sums[:] = 0
        for u in range(x.shape[1]):
            pixel = x[i, u]
            for j in range(sums.size):
                sums[j] += pixel[j]
        for j in range(sums.size):
            sums[j] /= count


@njit
def global_average_backward(dx, dy):
    """dx (n, pixels, c) = dy (n, c) / pixels"""
    count = dx.dtype.type(dx.shape[1])
    for i in range(dx.shape[0]):
        share = dy[i]
        for u in range(dx.shape[1]):
            to = dx[i, u]
            for j in range(to.size):
                to[j] = share[j] / count


@njit(inline=True)
def reach(place, stride, before, size, length):
    """First and last (exclusive) pixel of window number `place` that lie inside the image."""
    start = place * stride - before
    return max(start, 0), min(start + size, length)
