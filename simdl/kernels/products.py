"""Matrix products as the layers need them, from tiles held in registers: C = S + A B.

Columns are covered by strips of two vectors; where a few columns are left, the last strip has one
or three, or its last vector overlaps the one before, so that no element needs a mask. Only fewer
columns than a vector has are masked.

Layers get the address of `product` and call that, so that it is compiled once, not into each.

Where rows lie far apart in memory, the cache holds few of them at once; then strips of B are copied
side by side first, and A is transposed in blocks where its transpose is wanted. Measured on Zen 3,
float32, 128 x 512 x 512: 866 us, 1257 without, 905-956 in OpenBLAS.
"""

from collections import namedtuple

from simdl._jit import array_view, call, njit
from simdl._tiles import ROWS, TALL, register_bytes, stack, tile, transpose_tile

FULL = register_bytes()
DEEP = 256  # rows of B in one block
APART = 1024  # bytes from one row to the next that are far
FEW = 32  # rows of C for which a copy of B does not pay
_few, _one = tile(1, TALL, masked=True), tile(1, TALL)
_two, _three = tile(2, ROWS), tile(3, ROWS)
_strip_room = stack(3 * FULL * DEEP)
_block_room = stack(131_072)


@njit
def multiply(product, c, a, b, row):
    """c (n, m) = a (n, k) @ b (k, m) + row (m,), which may be empty"""
    call(product, c, a, b, False, False, row, 0)


@njit
def multiply_transposed(product, c, a, b, adding):
    """c (n, m) = a (k, n)^T @ b (k, m), or c + that where `adding`"""
    start = array_view(c.reshape(c.size), 0, c.size if adding else 0)
    call(product, c, a, b, True, False, start, c.shape[1])


@njit
def multiply_by_transpose(product, c, a, b):
    """c (n, m) = a (n, k) @ b (m, k)^T"""
    call(product, c, a, b, False, True, array_view(c.reshape(c.size), 0, 0), 0)


@njit(inline=True)
def rest(buffer, start):
    """What is left of a flat buffer from `start` on; of an empty one, nothing."""
    return array_view(buffer, start, max(buffer.size - start, 0))


# The left side of a product, flat: element l of part u in row r of line g is
# values[g line + r row + u part + l step]; C's rows are those of all lines, one behind the other,
# and B's those of all parts. A matrix is one line and one part; the patches of an image, which
# overlap, are lines of pixels, and a part is what of a patch lies side by side.
Side = namedtuple("Side", "values lines rows line row parts k part step")


@njit(inline=True)
def plain_side(values, rows, row, k, step):
    """A matrix (rows, k), its rows `row` apart and its columns `step`."""
    return Side(values, 1, rows, 0, row, 1, k, 0, step)


@njit
def product(c, a, b, turn_a, turn_b, s, s_row):
    """c (n, m) = s + op(a) op(b), op(a) (n, k) = a or a^T where `turn_a`, op(b) (k, m) likewise

    s is flat: a row of it for each of c, `s_row` apart (0: one for all), or empty for none; it may
    be c itself.
    """
    (rows, columns), k = c.shape, b.shape[1] if turn_b else b.shape[0]
    c, a, b = c.reshape(c.size), a.reshape(a.size), b.reshape(b.size)
    a_row, a_step = (1, rows) if turn_a else (k, 1)
    b_row, b_step = (1, k) if turn_b else (columns, 1)
    room, block = _strip_room(c), _block_room(c)
    far_a = turn_a and rows * c.itemsize >= APART
    packed = turn_b or far_a or (rows > FEW and columns * c.itemsize >= APART)
    deep = DEEP if packed else k
    at_once = block.size // DEEP if far_a else rows
    for first in range(0, k, deep):
        some_k = min(deep, k - first)
        right = rest(b, first * b_row)
        for i in range(0, rows, at_once):
            some = min(at_once, rows - i)
            to = array_view(c, i * columns, some * columns)
            left = rest(a, i * a_row + first * a_step)
            left_row, left_step = a_row, a_step
            if far_a:
                turn(block, some_k, left, rows, some_k, some)
                left, left_row, left_step = block, some_k, 1
            start, start_row = rest(s, i * s_row), s_row
            if first > 0:
                start, start_row = to, columns
            side = plain_side(left, some, left_row, some_k, left_step)
            strips(to, columns, side, right, b_row, b_step, start, start_row, room, packed)


@njit
def product_of_patches(c, columns, a, b, s, s_row):
    """c (lines rows, columns) = s + a b, `a` a Side, b (parts k, columns) a matrix; all flat"""
    strips(c, columns, a, b, columns, 1, s, s_row, _strip_room(c), False)


@njit
def strips(c, columns, a, b, b_row, b_step, s, s_row, room, packed):
    """Fill c (.., columns) strip by strip; `room` takes a copy of b's strip where `packed`."""
    lanes = FULL // c.itemsize
    j = 0
    while j < columns:
        left = columns - j
        width = left if left <= 3 * lanes else 2 * lanes
        to, start = rest(c, j), rest(s, j)
        right, right_row = rest(b, j * b_step), b_row
        if packed:
            right_row = width
            pack(room, right_row, right, b_row, b_step, width, a.parts * a.k)
            right = room
        if width < lanes:
            _fill_few(to, columns, a, right, right_row, start, s_row, width)
        elif width == lanes:
            _fill_one(to, columns, a, right, right_row, start, s_row, 0)
        elif width > 2 * lanes:
            _fill_three(to, columns, a, right, right_row, start, s_row, width - lanes)
        else:
            _fill_two(to, columns, a, right, right_row, start, s_row, width - lanes)
        j += width


def _filler(tile, height, name):
    """Make the function that moves a tile down a strip; a line's last one may have fewer rows.

    Two of one name would be one symbol to the linker where one comes from the cache.
    """

    def fill(c, c_row, a, b, b_row, s, s_row, last):
        for line in range(a.lines):
            left, first = rest(a.values, line * a.line), line * a.rows
            for i in range(0, a.rows, height):
                rows, at = min(height, a.rows - i), first + i
                tile(
                    rest(c, at * c_row), c_row, rows, rest(left, i * a.row), a.row, a.step,
                    a.part, a.parts, b, b_row, rest(s, at * s_row), s_row, last, a.k,
                )  # fmt: skip

    fill.__name__ = fill.__qualname__ = name
    return njit(fill)


_fill_few, _fill_one = _filler(_few, TALL, "fill_few"), _filler(_one, TALL, "fill_one")
_fill_two, _fill_three = _filler(_two, ROWS, "fill_two"), _filler(_three, ROWS, "fill_three")


@njit
def pack(room, room_row, b, b_row, b_step, width, k):
    """room[i, j] = b[i b_row + j b_step] for `width` columns and k rows."""
    if b_row == 1:
        turn(room, room_row, b, b_step, width, k)
        return
    for i in range(k):
        to, row = array_view(room, i * room_row, width), array_view(b, i * b_row, width)
        for j in range(width):
            to[j] = row[j]


@njit
def turn(y, y_row, x, x_row, m, k):
    """y (k, m) = x (m, k)^T, flat, rows `y_row` and `x_row` apart: in tiles, and what is left"""
    lanes = FULL // x.itemsize
    rows, columns = m // lanes * lanes, k // lanes * lanes
    for i in range(0, rows, lanes):
        for j in range(0, columns, lanes):
            to = rest(y, j * y_row + i)
            transpose_tile(to, y_row, rest(x, i * x_row + j), x_row)
    for i in range(m):
        for j in range(columns if i < rows else 0, k):
            y[j * y_row + i] = x[i * x_row + j]


@njit
def transpose(y, x):
    """y (k, m) = x (m, k)^T"""
    m, k = x.shape
    turn(y.reshape(y.size), m, x.reshape(x.size), k, m, k)


@njit
def add_column_sums(sums, a):
    """sums (m,) += sum of a (n, m) over rows: four at once, .09 us instead of .32 for 32 x 64"""
    n = a.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        p, q, r, s = a[i], a[i + 1], a[i + 2], a[i + 3]
        for j in range(sums.size):
            sums[j] += (p[j] + q[j]) + (r[j] + s[j])
    for i in range(whole, n):
        row = a[i]
        for j in range(sums.size):
            sums[j] += row[j]
