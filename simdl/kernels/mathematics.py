"""exp, log, tanh, sigmoid and Phi as branch-free polynomials that LLVM turns into vector code.

Numba's wheels carry no vector mathematics library, so ``np.exp`` in a loop costs 2.4 ns and
``np.tanh`` 11.7 ns an element; these cost about .4 to .6 ns. Errors stay within 2 ulp (sigmoid: 3)
in float32 and float64, subnormal results included; inf and NaN come out as NumPy gives them. Phi
is the normal distribution function: within 8 ulp in float32, where it is a polynomial; in float64
it is the C library's, which takes ten times as long.

Coefficients are near-minimax fits (Chebyshev interpolation in 40 digits) made for this file:
``q(r) = (exp(r)-1-r)/r^2`` on [-.349, .349], ``(log((1+s)/(1-s))-2s)/s^3`` as a polynomial in
``s^2`` on [0, .0296], ``(tanh(x)/x-1)/x^2`` in ``x^2`` on [0, .36]. The splittings of log 2 and the
form of log follow Sun's fdlibm.
"""

import math

import numpy as np

from simdl._jit import by_precision, njit

_f, _i = np.float32, np.int32
_LOG2E32, _MAGIC32 = (
    _f(1.4426950408889634),
    _f(12582912.0),
)  # adding 1.5 * 2^23 rounds to an integer
_LOG2E64, _MAGIC64 = 1.4426950408889634, 6755399441055744.0  # 1.5 * 2^52
_MAGIC32_BITS, _MAGIC64_BITS = _i(0x4B400000), np.int64(0x4338000000000000)
_LN2_HI32, _LN2_LO32 = _f(0.693359375), _f(-2.12194440e-4)
_LN2_HI64, _LN2_LO64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LN2_LOG32, _LN2_LOG_LO32 = _f(6.9313812256e-01), _f(9.0580006145e-06)

# single-precision constants: a plain literal would lift the whole expression to float64
_E0, _E1, _E2 = _f(0.00019891556983324548), _f(0.0013934159818898314), _f(0.008333310412501516)
_E3, _E4, _E5 = _f(0.04166646030602915), _f(0.1666666668213963), _f(0.5)
_L0, _L1, _L2, _L3 = _f(0.23334364835), _f(0.28550677335), _f(0.40000123107), _f(0.66666666553)
_T0, _T1, _T2 = _f(0.0023707656404977878), _f(-0.0084100708015307364), _f(0.021788321997108521)
_T3, _T4, _T5 = _f(-0.053961551781342691), _f(0.13333312866861800), _f(-0.33333333231207925)
_ZERO, _HALF, _ONE, _TWO, _INF, _NAN = _f(0), _f(0.5), _f(1), _f(2), _f(np.inf), _f(np.nan)
_EXP_LO32, _EXP_HI32 = _f(-104.0), _f(89.0)
_TINY32, _LIFT32 = _f(1.1754944e-38), _f(8388608.0)
_TANH_SPLIT32 = _f(0.6)


@njit(inline=True)
def _exp32(x):
    x = _EXP_HI32 if x > _EXP_HI32 else x  # comparisons leave NaN alone
    x = _EXP_LO32 if x < _EXP_LO32 else x
    shifted = x * _LOG2E32 + _MAGIC32
    n = shifted - _MAGIC32
    k = _i(_f(shifted).view(np.int32) - _MAGIC32_BITS)
    r = x - n * _LN2_HI32 - n * _LN2_LO32
    q = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    p = (q * r) * r + r + _ONE
    half = _i(k >> _i(1))  # 2^k in two steps, so that subnormal results round once
    rest = _i(k - half)
    return (p * _i((half + _i(127)) << _i(23)).view(np.float32)) * _i(
        (rest + _i(127)) << _i(23)
    ).view(np.float32)


@njit(inline=True)
def _exp64(x):
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    shifted = x * _LOG2E64 + _MAGIC64
    n = shifted - _MAGIC64
    k = np.int64(np.float64(shifted).view(np.int64) - _MAGIC64_BITS)
    r = x - n * _LN2_HI64 - n * _LN2_LO64
    q = 2.0915118711997294e-9 * r + 2.5105821598328188e-8
    q = ((q * r + 2.7557272599857137e-7) * r + 2.7557253939287672e-6) * r + 2.4801587326374912e-5
    q = ((q * r + 1.9841269875978950e-4) * r + 1.3888888888883510e-3) * r + 8.3333333333258019e-3
    q = ((q * r + 4.1666666666666670e-2) * r + 1.6666666666666671e-1) * r + 0.5
    p = (q * r) * r + r + 1.0
    half = k >> np.int64(1)
    rest = k - half
    return (p * np.int64((half + np.int64(1023)) << np.int64(52)).view(np.float64)) * np.int64(
        (rest + np.int64(1023)) << np.int64(52)
    ).view(np.float64)


@njit(inline=True)
def _log32(x):
    small = x < _TINY32
    m = x * _LIFT32 if small else x
    bits = _f(m).view(np.int32)
    e = _i((bits - _i(0x3F3504F3)) >> _i(23))
    f = _i(bits - (e << _i(23))).view(np.float32) - _ONE
    k = _f(e - _i(23)) if small else _f(e)
    s = f / (_TWO + f)
    z = s * s
    rest = z * (((_L0 * z + _L1) * z + _L2) * z + _L3)
    hfsq = _HALF * f * f
    y = k * _LN2_LOG32 - ((hfsq - (s * (hfsq + rest) + k * _LN2_LOG_LO32)) - f)
    y = x if x == _INF or x != x else y
    y = -_INF if x == _ZERO else y
    return _NAN if x < _ZERO else y


@njit(inline=True)
def _log64(x):
    small = x < 2.2250738585072014e-308
    m = x * 4503599627370496.0 if small else x
    bits = np.float64(m).view(np.int64)
    e = np.int64((bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52))
    f = np.int64(bits - (e << np.int64(52))).view(np.float64) - 1.0
    k = np.float64(e - np.int64(52)) if small else np.float64(e)
    s = f / (2.0 + f)
    z = s * s
    p = (0.13091412333599499 * z + 0.13268314700177221) * z + 0.15386256849993597
    p = ((p * z + 0.18181795324344334) * z + 0.22222222394674205) * z + 0.28571428570790532
    p = (p * z + 0.40000000000000898) * z + 0.66666666666666666
    hfsq = 0.5 * f * f
    y = k * _LN2_HI64 - ((hfsq - (s * (hfsq + z * p) + k * _LN2_LO64)) - f)
    y = x if x == np.inf or x != x else y
    y = -np.inf if x == 0.0 else y
    return np.nan if x < 0.0 else y


@njit(inline=True)
def _tanh32(x):
    a = abs(x)
    z = x * x
    p = ((((_T0 * z + _T1) * z + _T2) * z + _T3) * z + _T4) * z + _T5
    near = p * z + _ZERO  # +0, not -0, at 0: so tanh(-0) is -0
    far = _ONE - _TWO / (_exp32(a + a) + _ONE)  # cancels near 0, so it serves only beyond .6
    far = -far if x < _ZERO else far
    return x + x * near if a < _TANH_SPLIT32 else far


@njit(inline=True)
def _tanh64(x):
    a = abs(x)
    z = x * x
    p = 6.9340464209889534e-6 * z - 3.2086614037935991e-5
    p = (p * z + 9.3324322338474472e-5) * z - 2.3795201383924995e-4
    p = (p * z + 5.8976809946882678e-4) * z - 1.4557958855734634e-3
    p = (p * z + 3.5921242500086924e-3) * z - 8.8632352928032893e-3
    p = (p * z + 2.1869488527368108e-2) * z - 5.3968253968085306e-2
    p = (p * z + 1.3333333333333206e-1) * z - 3.3333333333333333e-1
    far = 1.0 - 2.0 / (_exp64(a + a) + 1.0)
    far = -far if x < 0.0 else far
    return x + x * (p * z + 0.0) if a < 0.6 else far


# Phi(-z) exp(z^2/2) / t with t = 1 / (1 + .35 z), a polynomial in t, z from 0 to 14 (within 4e-8)
_P0, _P1, _P2 = _f(0.13961962492072938), _f(0.1398955569355652), _f(0.11957015144968527)
_P3, _P4, _P5 = _f(0.1066140001880144), _f(-0.025870835300482405), _f(0.16337919546803856)
_P6, _P7, _P8 = _f(-0.2595476498033977), _f(0.14589250697924763), _f(-0.02955256942115574)
_PHI_SLOPE32, _PHI_HI32 = _f(0.35), _f(14.5)
_PHI_MAGIC32 = _f(98304.0)  # 1.5 * 2^23 / 128


@njit(inline=True)
def _phi32(x):
    z = abs(x)
    z = _PHI_HI32 if z > _PHI_HI32 else z
    t = _ONE / (_ONE + _PHI_SLOPE32 * z)
    q = (((_P8 * t + _P7) * t + _P6) * t + _P5) * t + _P4
    q = (((q * t + _P3) * t + _P2) * t + _P1) * t + _P0
    near = (z + _PHI_MAGIC32) - _PHI_MAGIC32  # a multiple of 1/128, whose square is exact
    d = -_HALF * (z - near) * (z + near)  # the rest of -z^2 / 2, at most .06
    rest = (((_E3 * d + _E4) * d + _E5) * d + _ONE) * d + _ONE
    tail = _exp32(-_HALF * near * near) * rest * (t * q)
    return tail if x < _ZERO else _ONE - tail


@njit(inline=True)
def _phi64(x):
    return 0.5 * math.erfc(-math.sqrt(0.5) * x)  # the C library's: not in vectors


exp = by_precision(_exp32, _exp64)
log = by_precision(_log32, _log64)
tanh = by_precision(_tanh32, _tanh64)
normal_cdf = by_precision(_phi32, _phi64)


@njit(inline=True)
def sigmoid(x):
    """1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows."""
    e = exp(-abs(x))
    one = type(x)(1)
    return (one if x >= type(x)(0) else e) / (one + e)


@njit(inline=True)
def expm1(x):
    """exp(x) - 1 for x <= 0, without cancellation near 0: 2t/(1-t) with t = tanh(x/2)."""
    t = tanh(x * type(x)(0.5))
    return (t + t) / (type(x)(1) - t)


@njit(inline=True)
def log1p_exp_neg(a):
    """log(1 + exp(-a)) for a >= 0, accurate where exp(-a) is far below 1."""
    one = type(a)(1)
    e = exp(-a)
    u = one + e
    return e if u == one else log(u) * (e / (u - one))


@njit(inline=True)
def sincos_turns(t):
    """(sin, cos) of 2 pi t, t in [0, 1), float64: one polynomial an octant, swapped by quarter."""
    quarter = np.floor(t * 4.0 + 0.5)
    r = t - quarter * 0.25
    z = r * r
    s = 3.7808689593022955 * z - 15.093804209987114
    s = ((s * z + 42.058685020160894) * z - 76.705859704274551) * z + 81.605249275948035
    s = ((s * z - 41.341702240399636) * z + 6.2831853071795865) * r
    c = -1.6968494702918827 * z + 7.9030916877516976
    c = ((c * z - 26.426250908622136) * z + 60.244641328867329) * z - 85.456817206522712
    c = ((c * z + 64.939394022667958) * z - 19.739208802178717) * z + 1.0
    k = np.int64(quarter)
    odd = (k & 1) == 1
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if (k & 2) != 0 else sine
    cosine = -cosine if ((k + 1) & 2) != 0 else cosine
    return sine, cosine
