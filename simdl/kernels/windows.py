"""A window that moves over images: what convolution and pooling share.

Images are channels-last, (n, height, width, channels); a sequence is an image of height 1.
"""

from collections import namedtuple

# size_h rows by size_w columns of pixels, `dilation` apart (1: neighbours), moved by `stride`;
# the first one begins `pad_top` rows above the image and `pad_left` columns beside it
Window = namedtuple(
    "Window", "size_h size_w stride_h stride_w pad_top pad_left dilation_h dilation_w"
)
