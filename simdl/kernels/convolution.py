"""Convolution of images, channels last: products whose left side are the patches where they lie.

An image is put into a frame of zeros, if it has padding at all; a patch is then a few runs of
neighbours in the frame, and the products read these runs where they are. Nothing is copied out
(im2col), which for few channels takes longer than the product. The gradient by the input is the
convolution of the framed gradient with the weight turned round; only where the stride is not 1 it
is made as patches, in tiles that fit the cache, and added up. As in every library it is a
cross-correlation: the kernel is not turned.

`product` and `patches` are the addresses of `products.product` and `products.product_of_patches`.
Measured with AVX-512, float32, batch 64, forward and backward together, against im2col in tiles: 28
x 28 x 1 to 16 filters of 3 x 3 443 us instead of 1237; 14 x 14 x 16 to 32 1944 us instead of 2408.
"""

from simdl._jit import array_view, call, njit
from simdl.kernels.dense import dense_backward_input, dense_backward_parameters, dense_forward
from simdl.kernels.products import Side, add_column_sums, multiply, rest, transpose
from simdl.kernels.windows import Window

TILE = 16_384  # elements of patches at once; those of a larger image are a tile of their own
SHORT = 8  # runs of fewer elements go one element at a time, for all patches of a line


@njit
def convolution_forward(y, x, weight, bias, window, scratch, product, patches):
    """y = x * weight + bias: each output pixel is its patch of x times the weight matrix.

    y (n, out_height, out_width, filters), x (n, height, width, channels), weight (patch, filters)
    with patch = size_h size_w channels, bias (filters,) or empty, scratch (`scratch_size`,).
    """
    if is_pointwise(y, x, window):
        dense_forward(as_rows(y), as_rows(x), weight, bias, product)
        return
    convolve(y, x, weight.reshape(weight.size), bias, window, scratch, patches)


@njit
def convolution_backward_parameters(dweight, dbias, dy, x, window, scratch, product, patches):
    """dweight (patch, filters) = patches of x^T @ dy, dbias (filters,) = sum of dy over pixels."""
    rows = as_rows(dy)
    if is_pointwise(dy, x, window):
        dense_backward_parameters(dweight, dbias, rows, as_rows(x), product)
        return
    height, width, channels = dy.shape[1], dy.shape[2], x.shape[3]
    filters, made = dweight.shape[1], dweight.reshape(dweight.size)
    run, groups, lines = runs_of(window, channels)
    fits = is_inside(dy, x, window)
    frame, line = frame_for(dy, x, window, scratch)
    frame[:] = 0
    for i in range(x.shape[0]):
        image = x[i].reshape(x[i].size) if fits else frame
        if not fits:
            put_in(frame.reshape(frame.size // line, line), x[i], window)
        right, start = dy[i].reshape(dy[i].size), made if i > 0 else array_view(made, 0, 0)
        for g in range(groups):
            begin = g * lines * run * filters
            side = Side(
                rest(image, g * window.dilation_h * line), lines, run,
                next_run(window, channels, line), 1,
                height, width, window.stride_h * line, window.stride_w * channels,
            )  # fmt: skip
            call(patches, rest(made, begin), filters, side, right, rest(start, begin), filters)
    if dbias.size > 0:
        dbias[:] = 0
        add_column_sums(dbias, rows)


@njit
def convolution_backward_input(dx, dy, weight, window, scratch, product, patches):
    """dx (as x): each pixel's share in all patches that it lies in, of dy @ weight^T."""
    if is_pointwise(dy, dx, window):
        dense_backward_input(as_rows(dx), as_rows(dy), weight, product)
        return
    size = weight.size
    turned, room = array_view(scratch, 0, size), rest(scratch, size)
    if is_turnable(window):
        turn_round(turned, weight, window, dx.shape[3])
        convolve(dx, dy, turned, array_view(turned, 0, 0), turned_window(window), room, patches)
        return
    turned = turned.reshape(weight.shape[1], weight.shape[0])
    transpose(turned, weight)
    spread(dx, as_rows(dy), dy.shape[1], dy.shape[2], turned, window, room, product)


# --- by runs of the frame -------------------------------------------------------------------------


@njit
def convolve(y, x, weight, bias, window, scratch, patches):
    """y = x * weight + bias, the weight (patch filters,) flat, one product an image."""
    height, width, channels = y.shape[1], y.shape[2], x.shape[3]
    filters = y.shape[3]
    run, groups, parts = runs_of(window, channels)
    fits = is_inside(y, x, window)
    frame, line = frame_for(y, x, window, scratch)
    frame[:] = 0
    for i in range(x.shape[0]):
        image = x[i].reshape(x[i].size) if fits else frame
        if not fits:
            put_in(frame.reshape(frame.size // line, line), x[i], window)
        made = y[i].reshape(y[i].size)
        start, start_row = bias, 0
        for g in range(groups):
            side = Side(
                rest(image, g * window.dilation_h * line), height, width,
                window.stride_h * line, window.stride_w * channels,
                parts, run, next_run(window, channels, line), 1,
            )  # fmt: skip
            right = rest(weight, g * parts * run * filters)
            call(patches, made, filters, side, right, start, start_row)
            start, start_row = made, filters


@njit
def runs_of(window, channels):
    """Of a patch: elements a run, groups of runs evenly apart, and runs a group.

    Neighbours in a line of the window lie side by side in the frame: with no dilation a line of it
    is one run, and the lines are one group; else a pixel is a run, and each line a group.
    """
    if window.dilation_w == 1:
        return window.size_w * channels, 1, window.size_h
    return channels, window.size_h, window.size_w


@njit
def next_run(window, channels, line):
    """How far one run of a group lies behind the one before."""
    return window.dilation_h * line if window.dilation_w == 1 else window.dilation_w * channels


@njit
def is_inside(y, x, window):
    """Whether no window of the outputs y reaches beyond the images x: then these are the frame."""
    lines, line = framed(y.shape[1], y.shape[2], x.shape[3], window)
    padded = window.pad_top > 0 or window.pad_left > 0
    return not padded and lines <= x.shape[1] and line <= x.shape[2] * x.shape[3]


@njit
def frame_for(y, x, window, scratch):
    """Room for a framed image of x, flat; none where it needs no frame. And a line's elements."""
    if is_inside(y, x, window):
        return array_view(scratch, 0, 0), x.shape[2] * x.shape[3]
    lines, line = framed(y.shape[1], y.shape[2], x.shape[3], window)
    return array_view(scratch, 0, lines * line), line


@njit
def is_turnable(window):
    """Whether the gradient by the input is a convolution: the stride is 1, no padding too wide."""
    reach_h, reach_w = (
        (window.size_h - 1) * window.dilation_h,
        (window.size_w - 1) * window.dilation_w,
    )
    steps = window.stride_h == 1 and window.stride_w == 1
    return steps and window.pad_top <= reach_h and window.pad_left <= reach_w


@njit
def turned_window(window):
    """The window of that convolution."""
    return Window(
        window.size_h, window.size_w, 1, 1,
        (window.size_h - 1) * window.dilation_h - window.pad_top,
        (window.size_w - 1) * window.dilation_w - window.pad_left,
        window.dilation_h, window.dilation_w,
    )  # fmt: skip


@njit
def turn_round(turned, weight, window, channels):
    """turned (size_h, size_w, filters, channels), flat = weight, last pixel first, transposed."""
    area, filters = window.size_h * window.size_w, weight.shape[1]
    for k in range(area):
        pixel = rest(turned, (area - 1 - k) * filters * channels)
        for j in range(channels):
            row = weight[k * channels + j]
            for f in range(filters):
                pixel[f * channels + j] = row[f]


# --- room -----------------------------------------------------------------------------------------


@njit
def scratch_size(y_height, y_width, x_height, x_width, channels, filters, window):
    """Elements of scratch, whatever the number of images.

    They hold the weight turned and, behind it, a framed image; or that of the gradient; or, where
    the stride is not 1, the patches of a tile and a framed image.
    """
    patch = window.size_h * window.size_w * channels
    lines, line = framed(y_height, y_width, channels, window)
    if is_turnable(window):
        back_lines, back_line = framed(x_height, x_width, filters, turned_window(window))
        return patch * filters + max(lines * line, back_lines * back_line)
    return patch * filters + max(TILE, y_height * y_width * patch) + lines * line


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


# --- frames ---------------------------------------------------------------------------------------


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


# --- by patches in tiles --------------------------------------------------------------------------


@njit
def spread(dx, rows, height, width, turned, window, scratch, product):
    """dx = the patches dy @ weight^T, each added where it was taken from.

    rows: dy as a matrix of pixels, those of an image (height, width); turned: the weight's
    transpose (filters, patch).
    """
    pixels, patch = height * width, turned.shape[1]
    at_once = max(1, TILE // (pixels * patch))
    dpatches = array_view(scratch, 0, at_once * pixels, patch)
    lines, line = framed(height, width, dx.shape[3], window)
    frame = array_view(scratch, max(TILE, pixels * patch), lines, line)
    nothing = array_view(scratch, 0, 0)
    for first in range(0, dx.shape[0], at_once):
        last = min(first + at_once, dx.shape[0])
        made = dpatches[: (last - first) * pixels]
        multiply(product, made, rows[first * pixels : last * pixels], turned, nothing)
        for i in range(first, last):
            start = (i - first) * pixels
            frame[:] = 0
            fold(frame, made[start : start + pixels], width, window)
            take_out(dx[i], frame, window)


@njit
def fold(frame, patches, width, window):
    """Add patches (pixels, patch) to the frame, each where it lies; `width` pixels make a line."""
    channels = patches.shape[1] // (window.size_h * window.size_w)
    run = runs_of(window, channels)[0]
    runs, apart = window.size_w * channels // run, window.dilation_w * channels
    step = window.stride_w * channels
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
