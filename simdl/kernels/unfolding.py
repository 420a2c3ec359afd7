"""Patches of images, channels last, copied out as the rows of a matrix (im2col), and added back.

A tile holds the patches of a few images. The room for it does not grow with the batch.
"""

from simdl._jit import array_view, njit

TILE = 16_384  # elements of patches at once; those of a larger image are a tile of their own
SHORT = 8  # runs of fewer elements go one element at a time, for all patches of a line


@njit
def tile_size(height, width, channels, window):
    """Elements of scratch for outputs (n, height, width, ..), whatever n: a tile, and a frame."""
    lines, line = framed(height, width, channels, window)
    return max(TILE, height * width * window.size_h * window.size_w * channels) + lines * line


@njit
def images_at_once(pixels, patch):
    """How many images make a tile."""
    return max(1, TILE // (pixels * patch))


@njit
def rooms(scratch, height, width, patch, channels, window):
    """Patches of a tile, and one framed image by lines: views of the scratch."""
    pixels = height * width
    lines, line = framed(height, width, channels, window)
    frame = array_view(scratch, max(TILE, pixels * patch), lines, line)
    return array_view(scratch, 0, images_at_once(pixels, patch) * pixels, patch), frame


@njit
def unfold(x, height, width, window, scratch):
    """Return the patches of images x (n, ...), (n height width, patch), in the scratch."""
    pixels, channels = height * width, x.shape[3]
    patch = window.size_h * window.size_w * channels
    patches, frame = rooms(scratch, height, width, patch, channels, window)
    frame[:] = 0
    for i in range(x.shape[0]):
        put_in(frame, x[i], window)
        cut(patches[i * pixels : (i + 1) * pixels], frame, width, window)
    return patches[: x.shape[0] * pixels]


@njit
def add_back(dx, patches, height, width, window, frame):
    """dx (n, ...) = patches (n height width, patch), each added where it was taken from."""
    pixels = height * width
    for i in range(dx.shape[0]):
        frame[:] = 0
        fold(frame, patches[i * pixels : (i + 1) * pixels], width, window)
        take_out(dx[i], frame, window)


# --- frames ---------------------------------------------------------------------------------------


@njit
def framed(height, width, channels, window):
    """Lines, and elements a line, of what the windows of an output (height, width) cover."""
    lines = (height - 1) * window.stride_h + (window.size_h - 1) * window.dilation_h + 1
    line = (width - 1) * window.stride_w + (window.size_w - 1) * window.dilation_w + 1
    return lines, line * channels


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


# --- patches --------------------------------------------------------------------------------------


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
