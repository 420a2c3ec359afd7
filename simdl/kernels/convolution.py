"""Convolution of images, channels last: products whose left side are the patches where they lie.

An image is put into a frame of zeros, if it has padding at all; a patch is then a few runs of
neighbours in the frame, and the products read these runs where they are. Nothing is copied out,
which for few channels takes longer than the product. The gradient by the input is the convolution
of the framed gradient with the weight turned round. Small images are too short for that, whose
products would be a few rows each, and so are gradients by the input where the stride is not 1:
there the patches of some images are copied out together. As in every library it is a
cross-correlation: the kernel is not turned.

`product` and `patches` are the addresses of `products.product` and `products.product_of_patches`.
Measured with AVX-512, float32, batch 64, forward and backward together, against copying all out: 28
x 28 x 1 to 16 filters of 3 x 3 443 us instead of 1237; 14 x 14 x 16 to 32 1944 us instead of 2408.
"""

from simdl._jit import array_view, call, njit
from simdl.kernels.dense import dense_backward_input, dense_backward_parameters, dense_forward
from simdl.kernels.products import (
    Side,
    add_column_sums,
    multiply,
    multiply_transposed,
    rest,
    transpose,
)
from simdl.kernels.unfolding import (
    add_back,
    framed,
    images_at_once,
    put_in,
    rooms,
    tile_size,
    unfold,
)
from simdl.kernels.windows import Window

SMALL = 50  # pixels of an output: 4 x 4 x 16 to 32 184 us copied out instead of 275, 8 x 8 is even


@njit
def convolution_forward(y, x, weight, bias, window, scratch, product, patches):
    """y = x * weight + bias: each output pixel is its patch of x times the weight matrix.

    y (n, out_height, out_width, filters), x (n, height, width, channels), weight (patch, filters)
    with patch = size_h size_w channels, bias (filters,) or empty, scratch (`scratch_size`,).
    """
    rows, (n, height, width, _) = as_rows(y), y.shape
    if is_pointwise(y, x, window):
        dense_forward(rows, as_rows(x), weight, bias, product)
    elif height * width < SMALL:
        pixels = height * width
        some = images_at_once(pixels, weight.shape[0])
        for i in range(0, n, some):
            last = min(i + some, n)
            copied = unfold(x[i:last], height, width, window, scratch)
            multiply(product, rows[i * pixels : last * pixels], copied, weight, bias)
    else:
        convolve(y, x, weight.reshape(weight.size), bias, window, scratch, patches)


@njit
def convolution_backward_parameters(dweight, dbias, dy, x, window, scratch, product, patches):
    """dweight (patch, filters) = patches of x^T @ dy, dbias (filters,) = sum of dy over pixels."""
    rows, (n, height, width, _) = as_rows(dy), dy.shape
    if is_pointwise(dy, x, window):
        dense_backward_parameters(dweight, dbias, rows, as_rows(x), product)
        return
    if height * width < SMALL:
        pixels = height * width
        some = images_at_once(pixels, dweight.shape[0])
        for i in range(0, n, some):
            last = min(i + some, n)
            copied = unfold(x[i:last], height, width, window, scratch)
            multiply_transposed(product, dweight, copied, rows[i * pixels : last * pixels], i > 0)
    else:
        correlate(dweight.reshape(dweight.size), dy, x, window, scratch, patches)
    if dbias.size > 0:
        dbias[:] = 0
        add_column_sums(dbias, rows)


@njit
def convolution_backward_input(dx, dy, weight, window, scratch, product, patches):
    """dx (as x): each pixel's share in all patches that it lies in, of dy @ weight^T."""
    rows, (n, height, width, filters) = as_rows(dy), dy.shape
    if is_pointwise(dy, dx, window):
        dense_backward_input(as_rows(dx), rows, weight, product)
        return
    turned, room = array_view(scratch, 0, weight.size), rest(scratch, weight.size)
    nothing = array_view(scratch, 0, 0)
    if dx.shape[1] * dx.shape[2] >= SMALL and is_turnable(window):
        turn_round(turned, weight, window, dx.shape[3])
        convolve(dx, dy, turned, nothing, turned_window(window), room, patches)
        return
    patch, pixels = weight.shape[0], height * width
    turned = turned.reshape(filters, patch)
    transpose(turned, weight)
    some = images_at_once(pixels, patch)
    copied, frame = rooms(room, height, width, patch, dx.shape[3], window)
    for i in range(0, n, some):
        last = min(i + some, n)
        made = copied[: (last - i) * pixels]
        multiply(product, made, rows[i * pixels : last * pixels], turned, nothing)
        add_back(dx[i:last], made, height, width, window, frame)


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
def correlate(dweight, dy, x, window, scratch, patches):
    """dweight (patch filters,) = patches of x^T @ dy, flat, one product an image."""
    height, width, channels = dy.shape[1], dy.shape[2], x.shape[3]
    filters = dy.shape[3]
    nothing = array_view(dweight, 0, 0)
    run, groups, lines = runs_of(window, channels)
    fits = is_inside(dy, x, window)
    frame, line = frame_for(dy, x, window, scratch)
    frame[:] = 0
    for i in range(x.shape[0]):
        image = x[i].reshape(x[i].size) if fits else frame
        if not fits:
            put_in(frame.reshape(frame.size // line, line), x[i], window)
        right, start = dy[i].reshape(dy[i].size), dweight if i > 0 else nothing
        for g in range(groups):
            begin = g * lines * run * filters
            side = Side(
                rest(image, g * window.dilation_h * line), lines, run,
                next_run(window, channels, line), 1,
                height, width, window.stride_h * line, window.stride_w * channels,
            )  # fmt: skip
            call(patches, rest(dweight, begin), filters, side, right, rest(start, begin), filters)


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
        to = array_view(turned, (area - 1 - k) * filters * channels, filters, channels)
        transpose(to, weight[k * channels : (k + 1) * channels])


# --- room -----------------------------------------------------------------------------------------


@njit
def scratch_size(y_height, y_width, x_height, x_width, channels, filters, window):
    """Elements of scratch, whatever the number of images.

    They hold the weight turned and, behind it, a framed image, or that of the gradient, or the
    patches of a tile and a framed image.
    """
    lines, line = framed(y_height, y_width, channels, window)
    room = lines * line
    if is_turnable(window):
        lines, line = framed(x_height, x_width, filters, turned_window(window))
        room = max(room, lines * line)
    if y_height * y_width < SMALL or x_height * x_width < SMALL or not is_turnable(window):
        room = max(room, tile_size(y_height, y_width, channels, window))
    return window.size_h * window.size_w * channels * filters + room


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
