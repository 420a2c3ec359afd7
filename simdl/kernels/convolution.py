"""Convolution of images, channels last: im2col in tiles that fit the cache, and a product.

A tile holds the patches of a few images as rows; one product with the weight matrix gives their
outputs. The room for it does not grow with the batch, and backward cuts the patches again instead
of keeping them. As in every library it is a cross-correlation: the kernel is not turned.
`product` is the address of `products.product`.
"""

from simdl._jit import array_view, njit
from simdl.kernels.dense import dense_backward_input, dense_backward_parameters, dense_forward
from simdl.kernels.products import (
    add_column_sums,
    multiply,
    multiply_transposed,
    transpose,
)

TILE = 16_384  # elements of patches at once; those of a larger image are a tile of their own
SHORT = 8  # runs of fewer elements go one element at a time, for all patches of a line


@njit
def convolution_forward(y, x, weight, bias, window, scratch, product):
    """y = x * weight + bias: each output pixel is its patch of x times the weight matrix.

    y (n, out_height, out_width, filters), x (n, height, width, channels), weight (patch, filters)
    with patch = size_h size_w channels, bias (filters,) or empty, scratch (`scratch_size`,).
    """
    rows = as_rows(y)
    if is_pointwise(y, x, window):
        dense_forward(rows, as_rows(x), weight, bias, product)
        return
    at_once, pixels = images_at_once(y, weight), y.shape[1] * y.shape[2]
    for first in range(0, x.shape[0], at_once):
        last = min(first + at_once, x.shape[0])
        part = rows[first * pixels : last * pixels]
        patches = unfold(x[first:last], y, weight, window, scratch)
        multiply(product, part, patches, weight, bias)


@njit
def convolution_backward_parameters(dweight, dbias, dy, x, window, scratch, product):
    """dweight (patch, filters) = patches of x^T @ dy, dbias (filters,) = sum of dy over pixels."""
    rows = as_rows(dy)
    if is_pointwise(dy, x, window):
        dense_backward_parameters(dweight, dbias, rows, as_rows(x), product)
        return
    at_once, pixels = images_at_once(dy, dweight), dy.shape[1] * dy.shape[2]
    for first in range(0, x.shape[0], at_once):
        last = min(first + at_once, x.shape[0])
        patches = unfold(x[first:last], dy, dweight, window, scratch)
        part = rows[first * pixels : last * pixels]
        multiply_transposed(product, dweight, patches, part, first > 0)
    if dbias.size > 0:
        dbias[:] = 0
        add_column_sums(dbias, rows)


@njit
def convolution_backward_input(dx, dy, weight, window, scratch, product):
    """dx (as x): each pixel's share in all patches that it lies in, of dy @ weight^T."""
    rows = as_rows(dy)
    if is_pointwise(dy, dx, window):
        dense_backward_input(as_rows(dx), rows, weight, product)
        return
    patches, frame, turned = rooms(scratch, dx, dy, weight, window)
    transpose(turned, weight)
    at_once, pixels = images_at_once(dy, weight), dy.shape[1] * dy.shape[2]
    no_bias = array_view(scratch, 0, 0)
    for first in range(0, dx.shape[0], at_once):
        last = min(first + at_once, dx.shape[0])
        dpatches = patches[: (last - first) * pixels]
        multiply(product, dpatches, rows[first * pixels : last * pixels], turned, no_bias)
        for i in range(first, last):
            start = (i - first) * pixels
            frame[:] = 0
            fold(frame, dpatches[start : start + pixels], dy.shape[2], window)
            take_out(dx[i], frame, window)


# --- room -----------------------------------------------------------------------------------------


@njit
def scratch_size(height, width, channels, filters, window):
    """Elements of scratch for outputs (n, height, width, filters), whatever n.

    They hold the patches of a tile, one image framed by its padding, and the weight turned.
    """
    patch = window.size_h * window.size_w * channels
    lines, line = framed(height, width, channels, window)
    return max(TILE, height * width * patch) + lines * line + patch * filters


@njit
def rooms(scratch, x, y, weight, window):
    """Patches of a tile, one framed image by lines, the weight turned: views of the scratch."""
    patch, filters = weight.shape
    pixels = y.shape[1] * y.shape[2]
    lines, line = framed(y.shape[1], y.shape[2], x.shape[3], window)
    start = max(TILE, pixels * patch)
    patches = array_view(scratch, 0, images_at_once(y, weight) * pixels, patch)
    frame = array_view(scratch, start, lines, line)
    return patches, frame, array_view(scratch, start + frame.size, filters, patch)


@njit
def images_at_once(y, weight):
    """How many images make a tile."""
    return max(1, TILE // (y.shape[1] * y.shape[2] * weight.shape[0]))


@njit
def framed(height, width, channels, window):
    """Lines, and elements a line, of what the windows of an output (height, width) cover."""
    lines = (height - 1) * window.stride_h + (window.size_h - 1) * window.dilation_h + 1
    line = (width - 1) * window.stride_w + (window.size_w - 1) * window.dilation_w + 1
    return lines, line * channels


@njit
def is_pointwise(y, x, window):
    """Whether every pixel is its own patch: then the pixels are the rows of a dense layer."""
    single = window.size_h == 1 and window.size_w == 1
    framed = window.pad_top > 0 or window.pad_left > 0
    return single and not framed and y.shape[1] == x.shape[1] and y.shape[2] == x.shape[2]


@njit
def as_rows(images):
    """Images (n, height, width, channels) as a matrix of pixels (n height width, channels)."""
    n, height, width, channels = images.shape
    return images.reshape(n * height * width, channels)


# --- patches --------------------------------------------------------------------------------------


@njit
def unfold(x, y, weight, window, scratch):
    """Return the patches of x (n, ...) at the pixels of y, (n pixels, patch), in the scratch."""
    pixels = y.shape[1] * y.shape[2]
    patches, frame, _ = rooms(scratch, x, y, weight, window)
    frame[:] = 0
    for i in range(x.shape[0]):
        put_in(frame, x[i], window)
        cut(patches[i * pixels : (i + 1) * pixels], frame, y.shape[2], window)
    return patches[: x.shape[0] * pixels]


@njit
def put_in(frame, image, window):
    """Copy an image (height, width, channels) into its frame; the border stays."""
    height, width, channels = image.shape
    lines = image.reshape(height, width * channels)
    top, left = window.pad_top, window.pad_left * channels
    size = max(0, min(lines.shape[1], frame.shape[1] - left))
    for i in range(min(height, frame.shape[0] - top)):
        to, line = frame[top + i, left:], lines[i]
        for j in range(size):
            to[j] = line[j]


@njit
def take_out(image, frame, window):
    """Copy an image out of its frame; 0 where no window reaches."""
    height, width, channels = image.shape
    lines = image.reshape(height, width * channels)
    top, left = window.pad_top, window.pad_left * channels
    size = max(0, min(lines.shape[1], frame.shape[1] - left))
    for i in range(height):
        line = lines[i]
        if top + i < frame.shape[0]:
            line[:size] = frame[top + i, left : left + size]
            line[size:] = 0
        else:
            line[:] = 0


@njit
def cut(patches, frame, width, window):
    """patches (pixels, patch) of a framed image; `width` pixels make a line of the output.

    Neighbours in a line of the window lie side by side in the frame: they are one run.
    """
    runs, run, apart, step = runs_of(patches, window)
    for first in range(0, patches.shape[0], width):
        top = first // width * window.stride_h
        for k in range(window.size_h * runs):
            line = frame[top + k // runs * window.dilation_h, k % runs * apart :]
            column = k * run
            if run < SHORT:
                for j in range(run):
                    for i in range(width):
                        patches[first + i, column + j] = line[i * step + j]
            else:
                for i in range(width):
                    to, source = patches[first + i, column:], line[i * step :]
                    for j in range(run):
                        to[j] = source[j]


@njit
def fold(frame, patches, width, window):
    """Add patches (pixels, patch) to the frame where `cut` took them."""
    runs, run, apart, step = runs_of(patches, window)
    for first in range(0, patches.shape[0], width):
        top = first // width * window.stride_h
        for k in range(window.size_h * runs):
            line = frame[top + k // runs * window.dilation_h, k % runs * apart :]
            column = k * run
            if run < SHORT:
                for j in range(run):
                    for i in range(width):
                        line[i * step + j] += patches[first + i, column + j]
            else:
                for i in range(width):
                    to, source = line[i * step :], patches[first + i, column:]
                    for j in range(run):
                        to[j] += source[j]


@njit
def runs_of(patches, window):
    """Of a window's line: runs, elements a run, how far apart runs and windows begin."""
    channels = patches.shape[1] // (window.size_h * window.size_w)
    runs = 1 if window.dilation_w == 1 else window.size_w
    run = window.size_w // runs * channels
    return runs, run, window.dilation_w * channels, window.stride_w * channels
