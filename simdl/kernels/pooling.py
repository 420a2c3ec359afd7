"""Pooling of images, channels last: the largest or the mean of each window, channel by channel.

Windows may overlap. The border around an image is never the largest, and counts as zeros in a
mean, as in PyTorch. Arrays: x, dx (n, height, width, c), y, dy (n, out_height, out_width, c).
"""

import numpy as np

from simdl._jit import njit


@njit
def max_pool_forward(y, x, window):
    """y = largest pixel of each window of x; NaN where there is one in the window"""
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
