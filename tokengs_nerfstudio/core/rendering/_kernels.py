"""Numba kernels of the CPU 3DGS rasterizer (gsplat 1.4.0 semantics, float32).

Everything that is time critical lives here; ``__init__`` of the package never
imports this module eagerly (importing numba costs ~0.3 s).

Vectorisation contract (checked by tests/test_vectorised.py):
 * the two hot loops (`_splat_fwd`, `_splat_bwd`) walk a *flat, unit-stride*
   range ``[a, b)`` of one scratch array ``S`` whose channels are 256 apart.
   Same base pointer + constant distance => LLVM needs no alias checks;
   unsigned index => no negative-index wraparound select.
 * branches are written as selects.
 * fastmath is restricted to {'contract'} (FMA).  Full fastmath is WRONG here: it
   folds ``(x + MAGIC) - MAGIC`` in `_expn`.
 * FP reductions go through `_radd` ('reassoc' on that one add only).
"""

import math

import numpy as np
import numba as nb

F = np.float32  # tests load a second copy of this file with F = np.float64
U = np.uint64
FM = {"contract"}


def _njit(**kw):
    """njit(cache=True); falls back to no cache where numba finds no writable cache directory
    (read-only site-packages *and* read-only $HOME raise RuntimeError at decoration time)."""

    def deco(fn):
        try:
            return nb.njit(cache=True, **kw)(fn)
        except RuntimeError:
            return nb.njit(**kw)(fn)

    return deco


ZERO, ONE, HALF, TWO = F(0), F(1), F(0.5), F(2)
ALPHA_MAX = F(0.999)  # rasterize_to_pixels_fwd.cu: min(0.999f, ...)
ALPHA_MIN = F(1.0) / F(255.0)  # alpha < 1/255 -> skip
T_MIN = F(1e-4)  # next_T <= 1e-4 -> pixel done (exclusive)
RMAX = F(2147483520.0)  # largest float32 < 2**31

TS = 16  # processing tile; gsplat's tile_size only clips footprints
NPIX = TS * TS
STRIP = 8  # a tile is stored as 2 strips of 8 columns x 16 rows
C1, C2, C3, C4, C5, C6, C7, C8 = (U(NPIX * k) for k in range(1, 9))
NCH = 9  # channels of the scratch array
ND = 4  # colour channels per pass
RW = 6 + ND  # floats per gaussian record: mx my A B C o c0..c3

# ---- exp(x), x <= 0: Cephes expf, 7.1e-8 max rel. error on [-20, 0], vectorises ----
_LOG2E = F(1.4426950408889634)
_LN2H, _LN2L = F(0.693359375), F(-2.12194440e-4)
_P = tuple(
    F(v) for v in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_P0, _P1, _P2, _P3, _P4, _P5 = _P
_MAGIC = F(12582912.0)  # 1.5 * 2**23
_MB = np.int32(127 - 0x4B400000)
_XLO = F(-80.0)

if F is np.float32:

    @_njit(fastmath=FM, error_model="numpy")
    def _expn(x):
        x = x if x > _XLO else _XLO
        m = x * _LOG2E + _MAGIC
        n = m - _MAGIC
        r = (x - n * _LN2H) - n * _LN2L
        p = _P0 * r + _P1
        p = p * r + _P2
        p = p * r + _P3
        p = p * r + _P4
        p = p * r + _P5
        p = p * r * r + r + ONE
        s = np.int32((np.float32(m).view(np.int32) + _MB) << np.int32(23)).view(np.float32)
        return p * s
else:

    @_njit(error_model="numpy")
    def _expn(x):
        return math.exp(x)


@_njit(fastmath={"reassoc", "contract"}, error_model="numpy")
def _radd(a, b):
    return a + b


# =============================== projection ====================================
@_njit(fastmath=FM, error_model="numpy")
def _rotmat(w, x, y, z):
    inv = ONE / math.sqrt(x * x + y * y + z * z + w * w)
    w *= inv
    x *= inv
    y *= inv
    z *= inv
    return (
        inv,
        w,
        x,
        y,
        z,
        ONE - TWO * (y * y + z * z),
        TWO * (x * y - w * z),
        TWO * (x * z + w * y),
        TWO * (x * y + w * z),
        ONE - TWO * (x * x + z * z),
        TWO * (y * z - w * x),
        TWO * (x * z - w * y),
        TWO * (y * z + w * x),
        ONE - TWO * (x * x + y * y),
    )


@_njit(fastmath=FM, error_model="numpy")
def _clampf(v, lo, hi):
    # CUDA min(hi, max(lo, v)); NaN v never reaches here with a live gaussian
    v = v if v > lo else lo
    return v if v < hi else hi


@_njit(fastmath=FM, error_model="numpy", nogil=True)
def project_fwd(
    ch,
    nchunk,
    means,
    quats,
    scales,
    viewmats,
    Ks,
    width,
    height,
    eps2d,
    near,
    far,
    radius_clip,
    radii,
    means2d,
    depths,
    conics,
    comps,
):
    Cn = viewmats.shape[0]
    N = means.shape[0]
    W = F(width)
    H = F(height)
    n0 = ch * N // nchunk
    n1 = (ch + 1) * N // nchunk
    for c in range(Cn):
        r00 = viewmats[c, 0, 0]
        r01 = viewmats[c, 0, 1]
        r02 = viewmats[c, 0, 2]
        t0 = viewmats[c, 0, 3]
        r10 = viewmats[c, 1, 0]
        r11 = viewmats[c, 1, 1]
        r12 = viewmats[c, 1, 2]
        t1 = viewmats[c, 1, 3]
        r20 = viewmats[c, 2, 0]
        r21 = viewmats[c, 2, 1]
        r22 = viewmats[c, 2, 2]
        t2 = viewmats[c, 2, 3]
        fx = Ks[c, 0, 0]
        fy = Ks[c, 1, 1]
        cx = Ks[c, 0, 2]
        cy = Ks[c, 1, 2]
        tfx = HALF * W / fx
        tfy = HALF * H / fy
        lxp = (W - cx) / fx + F(0.3) * tfx
        lxn = cx / fx + F(0.3) * tfx
        lyp = (H - cy) / fy + F(0.3) * tfy
        lyn = cy / fy + F(0.3) * tfy
        for n in range(n0, n1):
            radii[c, n] = 0
            means2d[c, n, 0] = ZERO
            means2d[c, n, 1] = ZERO
            depths[c, n] = ZERO
            conics[c, n, 0] = ZERO
            conics[c, n, 1] = ZERO
            conics[c, n, 2] = ZERO
            comps[c, n] = ZERO
            px = means[n, 0]
            py = means[n, 1]
            pz = means[n, 2]
            z = r20 * px + r21 * py + r22 * pz + t2
            if z < near or z > far:  # inclusive at the planes, like the .cu
                continue
            x = r00 * px + r01 * py + r02 * pz + t0
            y = r10 * px + r11 * py + r12 * pz + t1
            (_, _, _, _, _, q00, q01, q02, q10, q11, q12, q20, q21, q22) = _rotmat(
                quats[n, 0], quats[n, 1], quats[n, 2], quats[n, 3]
            )
            s0 = scales[n, 0]
            s1 = scales[n, 1]
            s2 = scales[n, 2]
            rz = ONE / z
            rz2 = rz * rz
            tx = z * _clampf(x * rz, -lxn, lxp)
            ty = z * _clampf(y * rz, -lyn, lyp)
            j00 = fx * rz
            j02 = -fx * tx * rz2
            j11 = fy * rz
            j12 = -fy * ty * rz2
            # A = J R (2x3), P = A q diag(s) (2x3), cov2d = P P^T
            a00 = j00 * r00 + j02 * r20
            a01 = j00 * r01 + j02 * r21
            a02 = j00 * r02 + j02 * r22
            a10 = j11 * r10 + j12 * r20
            a11 = j11 * r11 + j12 * r21
            a12 = j11 * r12 + j12 * r22
            p00 = (a00 * q00 + a01 * q10 + a02 * q20) * s0
            p01 = (a00 * q01 + a01 * q11 + a02 * q21) * s1
            p02 = (a00 * q02 + a01 * q12 + a02 * q22) * s2
            p10 = (a10 * q00 + a11 * q10 + a12 * q20) * s0
            p11 = (a10 * q01 + a11 * q11 + a12 * q21) * s1
            p12 = (a10 * q02 + a11 * q12 + a12 * q22) * s2
            c00 = p00 * p00 + p01 * p01 + p02 * p02
            c01 = p00 * p10 + p01 * p11 + p02 * p12
            c11 = p10 * p10 + p11 * p11 + p12 * p12
            det0 = c00 * c11 - c01 * c01
            c00 += eps2d
            c11 += eps2d
            det = c00 * c11 - c01 * c01
            if not (det > ZERO):  # NaN -> culled
                continue
            b = HALF * (c00 + c11)
            d = b * b - det
            v1 = b + math.sqrt(d if d > F(0.01) else F(0.01))
            radius = math.ceil(F(3.0) * math.sqrt(v1))
            if not (radius > radius_clip):  # NaN -> culled
                continue
            mx = fx * x * rz + cx
            my = fy * y * rz + cy
            if not (mx + radius > ZERO and mx - radius < W and my + radius > ZERO and my - radius < H):
                continue
            inv = ONE / det
            radii[c, n] = np.int32(radius if radius < RMAX else RMAX)
            means2d[c, n, 0] = mx
            means2d[c, n, 1] = my
            depths[c, n] = z
            conics[c, n, 0] = c11 * inv
            conics[c, n, 1] = -c01 * inv
            conics[c, n, 2] = c00 * inv
            rat = det0 / det
            comps[c, n] = math.sqrt(rat if rat > ZERO else ZERO)


@_njit(fastmath=FM, error_model="numpy", nogil=True)
def project_bwd(
    ch,
    nchunk,
    means,
    quats,
    scales,
    viewmats,
    Ks,
    width,
    height,
    eps2d,
    radii,
    conics,
    comps,
    v_means2d,
    v_depths,
    v_conics,
    v_comps,
    has_comp,
    v_means,
    v_quats,
    v_scales,
    v_view,
    want_view,
):
    """Analytic vjp. One task owns a range of gaussians and loops over the cameras, so
    means/quats/scales need no atomics; viewmat grads go to v_view[nchunk, C, 12]."""
    Cn = viewmats.shape[0]
    N = means.shape[0]
    W = F(width)
    H = F(height)
    n0 = ch * N // nchunk
    n1 = (ch + 1) * N // nchunk
    for n in range(n0, n1):
        gm0 = ZERO
        gm1 = ZERO
        gm2 = ZERO
        gs0 = ZERO
        gs1 = ZERO
        gs2 = ZERO
        g00 = ZERO
        g01 = ZERO
        g02 = ZERO
        g10 = ZERO
        g11 = ZERO
        g12 = ZERO
        g20 = ZERO
        g21 = ZERO
        g22 = ZERO  # d/d q (rotation matrix)
        seen = False
        px = means[n, 0]
        py = means[n, 1]
        pz = means[n, 2]
        (qi, qw, qx, qy, qz, q00, q01, q02, q10, q11, q12, q20, q21, q22) = _rotmat(
            quats[n, 0], quats[n, 1], quats[n, 2], quats[n, 3]
        )
        s0 = scales[n, 0]
        s1 = scales[n, 1]
        s2 = scales[n, 2]
        for c in range(Cn):
            if radii[c, n] <= 0:
                continue
            seen = True
            r00 = viewmats[c, 0, 0]
            r01 = viewmats[c, 0, 1]
            r02 = viewmats[c, 0, 2]
            t0 = viewmats[c, 0, 3]
            r10 = viewmats[c, 1, 0]
            r11 = viewmats[c, 1, 1]
            r12 = viewmats[c, 1, 2]
            t1 = viewmats[c, 1, 3]
            r20 = viewmats[c, 2, 0]
            r21 = viewmats[c, 2, 1]
            r22 = viewmats[c, 2, 2]
            t2 = viewmats[c, 2, 3]
            fx = Ks[c, 0, 0]
            fy = Ks[c, 1, 1]
            cx = Ks[c, 0, 2]
            cy = Ks[c, 1, 2]
            tfx = HALF * W / fx
            tfy = HALF * H / fy
            lxp = (W - cx) / fx + F(0.3) * tfx
            lxn = cx / fx + F(0.3) * tfx
            lyp = (H - cy) / fy + F(0.3) * tfy
            lyn = cy / fy + F(0.3) * tfy
            x = r00 * px + r01 * py + r02 * pz + t0
            y = r10 * px + r11 * py + r12 * pz + t1
            z = r20 * px + r21 * py + r22 * pz + t2
            rz = ONE / z
            rz2 = rz * rz
            rz3 = rz2 * rz
            ux = x * rz
            uy = y * rz
            inx = ux <= lxp and ux >= -lxn
            iny = uy <= lyp and uy >= -lyn
            tx = z * _clampf(ux, -lxn, lxp)
            ty = z * _clampf(uy, -lyn, lyp)
            j00 = fx * rz
            j02 = -fx * tx * rz2
            j11 = fy * rz
            j12 = -fy * ty * rz2
            # B = R q diag(s) (3x3);  P = J B
            b00 = (r00 * q00 + r01 * q10 + r02 * q20) * s0
            b01 = (r00 * q01 + r01 * q11 + r02 * q21) * s1
            b02 = (r00 * q02 + r01 * q12 + r02 * q22) * s2
            b10 = (r10 * q00 + r11 * q10 + r12 * q20) * s0
            b11 = (r10 * q01 + r11 * q11 + r12 * q21) * s1
            b12 = (r10 * q02 + r11 * q12 + r12 * q22) * s2
            b20 = (r20 * q00 + r21 * q10 + r22 * q20) * s0
            b21 = (r20 * q01 + r21 * q11 + r22 * q21) * s1
            b22 = (r20 * q02 + r21 * q12 + r22 * q22) * s2
            p00 = j00 * b00 + j02 * b20
            p01 = j00 * b01 + j02 * b21
            p02 = j00 * b02 + j02 * b22
            p10 = j11 * b10 + j12 * b20
            p11 = j11 * b11 + j12 * b21
            p12 = j11 * b12 + j12 * b22
            # conic -> cov2d :  V = -Q G Q, G symmetric with half off-diagonal
            A = conics[c, n, 0]
            B = conics[c, n, 1]
            C = conics[c, n, 2]
            ga = v_conics[c, n, 0]
            gb = HALF * v_conics[c, n, 1]
            gc = v_conics[c, n, 2]
            e00 = A * ga + B * gb
            e01 = A * gb + B * gc
            e10 = B * ga + C * gb
            e11 = B * gb + C * gc
            v00 = -(e00 * A + e01 * B)
            v01 = -(e00 * B + e01 * C)
            v11 = -(e10 * B + e11 * C)
            if has_comp:
                cmp_ = comps[c, n]
                k = v_comps[c, n] * HALF / (cmp_ + F(1e-6))
                om = ONE - cmp_ * cmp_
                dq = A * C - B * B
                v00 += k * (om * A - eps2d * dq)
                v01 += k * (om * B)
                v11 += k * (om * C - eps2d * dq)
            # cov2d = P P^T -> v_P = 2 V P
            w00 = TWO * (v00 * p00 + v01 * p10)
            w01 = TWO * (v00 * p01 + v01 * p11)
            w02 = TWO * (v00 * p02 + v01 * p12)
            w10 = TWO * (v01 * p00 + v11 * p10)
            w11 = TWO * (v01 * p01 + v11 * p11)
            w12 = TWO * (v01 * p02 + v11 * p12)
            # v_J = v_P B^T
            vj00 = w00 * b00 + w01 * b01 + w02 * b02
            vj02 = w00 * b20 + w01 * b21 + w02 * b22
            vj11 = w10 * b10 + w11 * b11 + w12 * b12
            vj12 = w10 * b20 + w11 * b21 + w12 * b22
            # v_B = J^T v_P
            d00 = j00 * w00
            d01 = j00 * w01
            d02 = j00 * w02
            d10 = j11 * w10
            d11 = j11 * w11
            d12 = j11 * w12
            d20 = j02 * w00 + j12 * w10
            d21 = j02 * w01 + j12 * w11
            d22 = j02 * w02 + j12 * w12
            # mean in camera space
            vx = v_means2d[c, n, 0]
            vy = v_means2d[c, n, 1]
            mx = fx * rz * vx
            my = fy * rz * vy
            mz = -(fx * x * vx + fy * y * vy) * rz2 + v_depths[c, n]
            if inx:
                mx += -fx * rz2 * vj02
            else:
                mz += -fx * rz3 * vj02 * tx
            if iny:
                my += -fy * rz2 * vj12
            else:
                mz += -fy * rz3 * vj12 * ty
            mz += -fx * rz2 * vj00 - fy * rz2 * vj11 + TWO * fx * tx * rz3 * vj02 + TWO * fy * ty * rz3 * vj12
            gm0 += r00 * mx + r10 * my + r20 * mz
            gm1 += r01 * mx + r11 * my + r21 * mz
            gm2 += r02 * mx + r12 * my + r22 * mz
            # B = (R q) S : v_(Rq) = v_B S ; v_s = colsum(v_B * Rq) ; v_q = R^T v_(Rq)
            k00 = d00 * s0
            k10 = d10 * s0
            k20 = d20 * s0
            k01 = d01 * s1
            k11 = d11 * s1
            k21 = d21 * s1
            k02 = d02 * s2
            k12 = d12 * s2
            k22 = d22 * s2
            g00 += r00 * k00 + r10 * k10 + r20 * k20
            g01 += r00 * k01 + r10 * k11 + r20 * k21
            g02 += r00 * k02 + r10 * k12 + r20 * k22
            g10 += r01 * k00 + r11 * k10 + r21 * k20
            g11 += r01 * k01 + r11 * k11 + r21 * k21
            g12 += r01 * k02 + r11 * k12 + r21 * k22
            g20 += r02 * k00 + r12 * k10 + r22 * k20
            g21 += r02 * k01 + r12 * k11 + r22 * k21
            g22 += r02 * k02 + r12 * k12 + r22 * k22
            f00 = r00 * q00 + r01 * q10 + r02 * q20
            f10 = r10 * q00 + r11 * q10 + r12 * q20
            f20 = r20 * q00 + r21 * q10 + r22 * q20
            f01 = r00 * q01 + r01 * q11 + r02 * q21
            f11 = r10 * q01 + r11 * q11 + r12 * q21
            f21 = r20 * q01 + r21 * q11 + r22 * q21
            f02 = r00 * q02 + r01 * q12 + r02 * q22
            f12 = r10 * q02 + r11 * q12 + r12 * q22
            f22 = r20 * q02 + r21 * q12 + r22 * q22
            gs0 += d00 * f00 + d10 * f10 + d20 * f20
            gs1 += d01 * f01 + d11 * f11 + d21 * f21
            gs2 += d02 * f02 + d12 * f12 + d22 * f22
            if want_view:
                # v_R = v_(Rq) q^T + v_mc mean^T
                v_view[ch, c, 0] += k00 * q00 + k01 * q01 + k02 * q02 + mx * px
                v_view[ch, c, 1] += k00 * q10 + k01 * q11 + k02 * q12 + mx * py
                v_view[ch, c, 2] += k00 * q20 + k01 * q21 + k02 * q22 + mx * pz
                v_view[ch, c, 3] += mx
                v_view[ch, c, 4] += k10 * q00 + k11 * q01 + k12 * q02 + my * px
                v_view[ch, c, 5] += k10 * q10 + k11 * q11 + k12 * q12 + my * py
                v_view[ch, c, 6] += k10 * q20 + k11 * q21 + k12 * q22 + my * pz
                v_view[ch, c, 7] += my
                v_view[ch, c, 8] += k20 * q00 + k21 * q01 + k22 * q02 + mz * px
                v_view[ch, c, 9] += k20 * q10 + k21 * q11 + k22 * q12 + mz * py
                v_view[ch, c, 10] += k20 * q20 + k21 * q21 + k22 * q22 + mz * pz
                v_view[ch, c, 11] += mz
        v_means[n, 0] = gm0
        v_means[n, 1] = gm1
        v_means[n, 2] = gm2
        v_scales[n, 0] = gs0
        v_scales[n, 1] = gs1
        v_scales[n, 2] = gs2
        if not seen:
            v_quats[n, 0] = ZERO
            v_quats[n, 1] = ZERO
            v_quats[n, 2] = ZERO
            v_quats[n, 3] = ZERO
        else:
            nw = TWO * (qx * (g21 - g12) + qy * (g02 - g20) + qz * (g10 - g01))
            nx = TWO * (-TWO * qx * (g11 + g22) + qy * (g10 + g01) + qz * (g20 + g02) + qw * (g21 - g12))
            ny = TWO * (qx * (g10 + g01) - TWO * qy * (g00 + g22) + qz * (g21 + g12) + qw * (g02 - g20))
            nz = TWO * (qx * (g20 + g02) + qy * (g21 + g12) - TWO * qz * (g00 + g11) + qw * (g10 - g01))
            dt = nw * qw + nx * qx + ny * qy + nz * qz
            v_quats[n, 0] = (nw - dt * qw) * qi
            v_quats[n, 1] = (nx - dt * qx) * qi
            v_quats[n, 2] = (ny - dt * qy) * qi
            v_quats[n, 3] = (nz - dt * qz) * qi


# ========================== tile binning (per view) ============================
@_njit(error_model="numpy")
def _footprint(mx, my, A, B, C, o, radius, width, height, tsz):
    """Pixel bbox (x0, x1, y0, y1) of the pixels gsplat could let contribute:
    gsplat's own tile rectangle (float32 arithmetic as in isect_tiles.cu)
    intersected with the bbox of {alpha >= 1/255}.  The second set is padded, so the
    alpha test in the raster loop stays the only decision maker."""
    if o < ALPHA_MIN:  # NaN opacity passes, as in the .cu
        return 0, 0, 0, 0
    tw = (width + tsz - 1) // tsz
    th = (height + tsz - 1) // tsz
    ft = F(tsz)
    tr = F(radius) / ft
    qx = mx / ft
    qy = my / ft
    x0 = np.int64(min(max(math.floor(qx - tr), 0.0), np.float64(tw))) * tsz
    x1 = np.int64(min(max(math.ceil(qx + tr), 0.0), np.float64(tw))) * tsz
    y0 = np.int64(min(max(math.floor(qy - tr), 0.0), np.float64(th))) * tsz
    y1 = np.int64(min(max(math.ceil(qy + tr), 0.0), np.float64(th))) * tsz
    x1 = min(x1, width)
    y1 = min(y1, height)
    a = np.float64(A)
    b = np.float64(B)
    c = np.float64(C)
    det = a * c - b * b
    if det > 0.0 and a > 0.0 and o < 1e30:
        kap = a * c / det  # 1/(1-rho^2): cancellation in sigma
        if kap < 1e5:
            tau = math.log(255.0 * np.float64(o))
            tau += 1e-3 + 2e-6 * kap * (tau + 1.0)
            hx = math.sqrt(2.0 * tau * c / det)
            hy = math.sqrt(2.0 * tau * a / det)
            x0 = max(x0, np.int64(math.ceil(max(mx - hx - 0.5, -1.0))))
            x1 = min(x1, np.int64(math.floor(min(mx + hx - 0.5, np.float64(width)))) + 1)
            y0 = max(y0, np.int64(math.ceil(max(my - hy - 0.5, -1.0))))
            y1 = min(y1, np.int64(math.floor(min(my + hy - 0.5, np.float64(height)))) + 1)
    if x1 <= x0 or y1 <= y0:
        return 0, 0, 0, 0
    return x0, x1, y0, y1


@_njit(error_model="numpy", nogil=True)
def bin_count(ch, nchunk, radii, means2d, conics, opac, width, height, tsz, bbox, nvis, nisect):
    """task ch of nchunk over gaussians; bbox[C,N,4] i32; nvis, nisect [nchunk, C] i64"""
    Cn, N = radii.shape
    for c in range(Cn):
        m = 0
        t = 0
        for n in range(ch * N // nchunk, (ch + 1) * N // nchunk):
            bbox[c, n, 1] = 0
            if radii[c, n] > 0:
                x0, x1, y0, y1 = _footprint(
                    means2d[c, n, 0],
                    means2d[c, n, 1],
                    conics[c, n, 0],
                    conics[c, n, 1],
                    conics[c, n, 2],
                    opac[c, n],
                    radii[c, n],
                    width,
                    height,
                    tsz,
                )
                if x1 > 0:
                    bbox[c, n, 0] = x0
                    bbox[c, n, 1] = x1
                    bbox[c, n, 2] = y0
                    bbox[c, n, 3] = y1
                    m += 1
                    t += (((x1 - 1) >> 4) - (x0 >> 4) + 1) * (((y1 - 1) >> 4) - (y0 >> 4) + 1)
        nvis[ch, c] = m
        nisect[ch, c] = t


@_njit(error_model="numpy")
def _argsort_pos_f32(keys, ids):
    """Stable LSD radix argsort of non-negative float32 (as uint32 bits), 3 x 11 bits."""
    M = keys.shape[0]
    k0 = keys
    i0 = ids
    k1 = np.empty(M, np.uint32)
    i1 = np.empty(M, np.int32)
    for p in range(3):
        sh = np.uint32(11 * p)
        cnt = np.zeros(2048, np.int64)
        for m in range(M):
            cnt[(k0[m] >> sh) & np.uint32(2047)] += 1
        s = 0
        for j in range(2048):
            v = cnt[j]
            cnt[j] = s
            s += v
        for m in range(M):
            d = (k0[m] >> sh) & np.uint32(2047)
            q = cnt[d]
            cnt[d] = q + 1
            k1[q] = k0[m]
            i1[q] = i0[m]
        k0, k1 = k1, k0
        i0, i1 = i1, i0
    return i0


@_njit(error_model="numpy", nogil=True)
def bin_sort(c, nview, depths, bbox, vbase, rid):
    """View c: stable front-to-back order of the surviving gaussians -> rid[vbase[c]:vbase[c+1]]"""
    N = depths.shape[1]
    v0 = vbase[c]
    M = vbase[c + 1] - v0
    keys = np.empty(M, np.uint32)
    ids = np.empty(M, np.int32)
    m = 0
    for n in range(N):
        if bbox[c, n, 1] > 0:
            keys[m] = np.float32(depths[c, n]).view(np.uint32)
            ids[m] = n
            m += 1
    ids = _argsort_pos_f32(keys, ids)
    for r in range(M):
        rid[v0 + r] = ids[r]


@_njit(error_model="numpy", nogil=True)
def bin_pack(ch, nchunk, means2d, conics, opac, colors, bbox, vbase, rid, rec, rbb):
    """Gather records in depth order: rec[M,RW] f32, rbb[M,4] i32."""
    D = colors.shape[2]
    for c in range(means2d.shape[0]):
        v0 = vbase[c]
        M = vbase[c + 1] - v0
        for r in range(ch * M // nchunk, (ch + 1) * M // nchunk):
            g = v0 + r
            n = rid[g]
            rec[g, 0] = means2d[c, n, 0]
            rec[g, 1] = means2d[c, n, 1]
            rec[g, 2] = conics[c, n, 0]
            rec[g, 3] = conics[c, n, 1]
            rec[g, 4] = conics[c, n, 2]
            rec[g, 5] = opac[c, n]
            for k in range(ND):
                rec[g, 6 + k] = colors[c, n, k] if k < D else ZERO
            for k in range(4):
                rbb[g, k] = bbox[c, n, k]


@_njit(error_model="numpy", nogil=True)
def bin_tiles(c, nview, rbb, vbase, ibase, tw, th, roff, tile_off, tlist):
    """View c: counting sort into tile lists.  roff[M+1] first gradient row of each gaussian,
    tile_off[C*nt+1] i64, tlist[n_isects] i32 (rank inside the view, front to back)."""
    nt = tw * th
    v0 = vbase[c]
    M = vbase[c + 1] - v0
    cnt = np.zeros(nt, np.int64)
    slot = ibase[c]
    for g in range(v0, v0 + M):
        roff[g] = slot
        tx0 = rbb[g, 0] >> 4
        tx1 = ((rbb[g, 1] - 1) >> 4) + 1
        ty0 = rbb[g, 2] >> 4
        ty1 = ((rbb[g, 3] - 1) >> 4) + 1
        slot += (tx1 - tx0) * (ty1 - ty0)
        for ty in range(ty0, ty1):
            for tx in range(tx0, tx1):
                cnt[ty * tw + tx] += 1
    s = ibase[c]
    for t in range(nt):
        tile_off[c * nt + t] = s
        s += cnt[t]
        cnt[t] = tile_off[c * nt + t]
    for g in range(v0, v0 + M):
        for ty in range(rbb[g, 2] >> 4, ((rbb[g, 3] - 1) >> 4) + 1):
            for tx in range(rbb[g, 0] >> 4, ((rbb[g, 1] - 1) >> 4) + 1):
                t = ty * tw + tx
                tlist[cnt[t]] = g - v0
                cnt[t] += 1


# =============================== rasterization =================================
@_njit(fastmath=FM, error_model="numpy")
def _splat_fwd(S, a, b, mx, my, A, B, C, o, c0, c1, c2, c3, kf):
    """S channels: 0 T, 1 active, 2 last index, 3..6 colour, 7 px, 8 py."""
    nd = np.int32(0)
    hA = HALF * A
    hC = HALF * C
    for i in range(U(a), U(b)):
        dx = mx - S[C7 + i]
        dy = my - S[C8 + i]
        sig = hA * dx * dx + hC * dy * dy + B * dx * dy
        e = o * _expn(-sig)
        al = e if e < ALPHA_MAX else ALPHA_MAX  # NaN -> 0.999, as fminf does
        T = S[i]
        act = S[C1 + i]
        nT = T * (ONE - al)
        val = (sig >= ZERO) & (al >= ALPHA_MIN) & (act > ZERO)
        go = val & (nT > T_MIN)
        stop = val & (nT <= T_MIN)
        w = al * T if go else ZERO
        S[i] = nT if go else T
        S[C1 + i] = ZERO if stop else act
        S[C2 + i] = kf if go else S[C2 + i]
        S[C3 + i] += w * c0
        S[C4 + i] += w * c1
        S[C5 + i] += w * c2
        S[C6 + i] += w * c3
        nd += np.int32(stop)
    return nd


@_njit(fastmath=FM, error_model="numpy", nogil=True)
def raster_fwd(
    wk, nworker, rec, rbb, vbase, tile_off, tlist, bg, width, height, tw, th, D, out, alpha, Tfin, last, stats
):
    """out[C,H,W,D], alpha[C,H,W,1], Tfin[C,H,W], last[C,H,W] int32 (1 + index in tile list)."""
    Cn = out.shape[0]
    nt = tw * th
    S = np.empty(NCH * NPIX, F)
    lanes = 0
    for t in range(wk, Cn * nt, nworker):  # strided => balanced
        c = t // nt
        ty = (t % nt) // tw
        tx = (t % nt) % tw
        ox = tx * TS
        oy = ty * TS
        nact = 0
        for i in range(NPIX):
            xx = ox + (i >> 7) * STRIP + (i & 7)
            yy = oy + ((i & 127) >> 3)
            ins = xx < width and yy < height
            nact += 1 if ins else 0
            S[i] = ONE
            S[NPIX + i] = ONE if ins else ZERO
            for k in range(2, 3 + ND):
                S[NPIX * k + i] = ZERO
            S[NPIX * 7 + i] = F(xx) + HALF
            S[NPIX * 8 + i] = F(yy) + HALF
        v0 = vbase[c]
        for k in range(tile_off[t], tile_off[t + 1]):
            g = v0 + tlist[k]
            y0 = max(rbb[g, 2] - oy, 0)
            y1 = min(rbb[g, 3] - oy, TS)
            x0 = rbb[g, 0] - ox
            x1 = rbb[g, 1] - ox
            kf = F(k - tile_off[t] + 1)
            if x0 < 8:
                nact -= _splat_fwd(
                    S,
                    y0 * 8,
                    y1 * 8,
                    rec[g, 0],
                    rec[g, 1],
                    rec[g, 2],
                    rec[g, 3],
                    rec[g, 4],
                    rec[g, 5],
                    rec[g, 6],
                    rec[g, 7],
                    rec[g, 8],
                    rec[g, 9],
                    kf,
                )
                lanes += (y1 - y0) * 8
            if x1 > 8:
                nact -= _splat_fwd(
                    S,
                    128 + y0 * 8,
                    128 + y1 * 8,
                    rec[g, 0],
                    rec[g, 1],
                    rec[g, 2],
                    rec[g, 3],
                    rec[g, 4],
                    rec[g, 5],
                    rec[g, 6],
                    rec[g, 7],
                    rec[g, 8],
                    rec[g, 9],
                    kf,
                )
                lanes += (y1 - y0) * 8
            if nact == 0:
                break
        for i in range(NPIX):
            xx = ox + (i >> 7) * STRIP + (i & 7)
            yy = oy + ((i & 127) >> 3)
            if xx < width and yy < height:
                T = S[i]
                Tfin[c, yy, xx] = T
                alpha[c, yy, xx, 0] = ONE - T
                last[c, yy, xx] = np.int32(S[NPIX * 2 + i])
                for k in range(D):
                    out[c, yy, xx, k] = S[NPIX * (3 + k) + i] + T * bg[c, k]
    stats[wk] = lanes


@_njit(fastmath=FM, error_model="numpy")
def _splat_bwd(S, a, b, mx, my, A, B, C, o, c0, c1, c2, c3, kf, acc):
    """S channels: 0 T, 1 buf, 2 last, 3..6 v_out, 7 px, 8 py.
    acc[10] += sums of vs, vs*dx, vs*dy, vs*dx^2, vs*dx*dy, vs*dy^2, w*v_k."""
    hA = HALF * A
    hC = HALF * C
    s0 = ZERO
    sx = ZERO
    sy = ZERO
    sxx = ZERO
    sxy = ZERO
    syy = ZERO
    g0 = ZERO
    g1 = ZERO
    g2 = ZERO
    g3 = ZERO
    for i in range(U(a), U(b)):
        dx = mx - S[C7 + i]
        dy = my - S[C8 + i]
        sig = hA * dx * dx + hC * dy * dy + B * dx * dy
        e = o * _expn(-sig)
        al = e if e < ALPHA_MAX else ALPHA_MAX
        val = (sig >= ZERO) & (al >= ALPHA_MIN) & (kf <= S[C2 + i])
        T = S[i]
        buf = S[C1 + i]
        v0 = S[C3 + i]
        v1 = S[C4 + i]
        v2 = S[C5 + i]
        v3 = S[C6 + i]
        ra = ONE / (ONE - al)
        Tn = T * ra
        q = c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3
        w = al * Tn if val else ZERO
        va = Tn * q - buf * ra
        vs = -e * va if val & (e <= ALPHA_MAX) else ZERO
        S[i] = Tn if val else T
        S[C1 + i] = buf + w * q
        vx = vs * dx
        vy = vs * dy
        s0 = _radd(s0, vs)
        sx = _radd(sx, vx)
        sy = _radd(sy, vy)
        sxx = _radd(sxx, vx * dx)
        sxy = _radd(sxy, vx * dy)
        syy = _radd(syy, vy * dy)
        g0 = _radd(g0, w * v0)
        g1 = _radd(g1, w * v1)
        g2 = _radd(g2, w * v2)
        g3 = _radd(g3, w * v3)
    acc[0] += s0
    acc[1] += sx
    acc[2] += sy
    acc[3] += sxx
    acc[4] += sxy
    acc[5] += syy
    acc[6] += g0
    acc[7] += g1
    acc[8] += g2
    acc[9] += g3


@_njit(fastmath=FM, error_model="numpy", nogil=True)
def raster_bwd(
    wk, nworker, rec, rbb, roff, vbase, tile_off, tlist, bg, width, height, tw, th, D, Tfin, last, v_out, v_alpha, gbuf
):
    """Back to front per tile.  gbuf[n_isects, RW]: every (gaussian, tile) pair owns one row
    (gaussian-major), so no atomics and a deterministic result for any thread count."""
    Cn = v_out.shape[0]
    nt = tw * th
    S = np.empty(NCH * NPIX, F)
    acc = np.empty(RW, F)
    for t in range(wk, Cn * nt, nworker):
        c = t // nt
        ty = (t % nt) // tw
        tx = (t % nt) % tw
        ox = tx * TS
        oy = ty * TS
        kmax = 0
        for i in range(NPIX):
            xx = ox + (i >> 7) * STRIP + (i & 7)
            yy = oy + ((i & 127) >> 3)
            S[NPIX * 7 + i] = F(xx) + HALF
            S[NPIX * 8 + i] = F(yy) + HALF
            for k in range(3, 3 + ND):
                S[NPIX * k + i] = ZERO
            if xx < width and yy < height:
                T = Tfin[c, yy, xx]
                lk = last[c, yy, xx]
                kmax = max(kmax, lk)
                bgv = ZERO
                for k in range(D):
                    v = v_out[c, yy, xx, k]
                    S[NPIX * (3 + k) + i] = v
                    bgv += bg[c, k] * v
                S[i] = T
                S[NPIX + i] = T * (bgv - v_alpha[c, yy, xx, 0])
                S[NPIX * 2 + i] = F(lk)
            else:
                S[i] = ONE
                S[NPIX + i] = ZERO
                S[NPIX * 2 + i] = ZERO
        v0 = vbase[c]
        for kk in range(kmax):
            k = kmax - 1 - kk
            g = v0 + tlist[tile_off[t] + k]
            y0 = max(rbb[g, 2] - oy, 0)
            y1 = min(rbb[g, 3] - oy, TS)
            x0 = rbb[g, 0] - ox
            x1 = rbb[g, 1] - ox
            for j in range(RW):
                acc[j] = ZERO
            if x0 < 8:
                _splat_bwd(
                    S,
                    y0 * 8,
                    y1 * 8,
                    rec[g, 0],
                    rec[g, 1],
                    rec[g, 2],
                    rec[g, 3],
                    rec[g, 4],
                    rec[g, 5],
                    rec[g, 6],
                    rec[g, 7],
                    rec[g, 8],
                    rec[g, 9],
                    F(k + 1),
                    acc,
                )
            if x1 > 8:
                _splat_bwd(
                    S,
                    128 + y0 * 8,
                    128 + y1 * 8,
                    rec[g, 0],
                    rec[g, 1],
                    rec[g, 2],
                    rec[g, 3],
                    rec[g, 4],
                    rec[g, 5],
                    rec[g, 6],
                    rec[g, 7],
                    rec[g, 8],
                    rec[g, 9],
                    F(k + 1),
                    acc,
                )
            tx0 = rbb[g, 0] >> 4
            ntx = ((rbb[g, 1] - 1) >> 4) - tx0 + 1
            sl = roff[g] + (ty - (rbb[g, 2] >> 4)) * ntx + (tx - tx0)
            for j in range(RW):
                gbuf[sl, j] = acc[j]


@_njit(fastmath=FM, error_model="numpy", nogil=True)
def raster_reduce(ch, nchunk, rec, rid, roff, vbase, gbuf, D, v_means2d, v_conics, v_opac, v_colors):
    """Sum the rows of each gaussian (contiguous) and convert moments to gradients."""
    Cn = v_opac.shape[0]
    s = np.empty(RW, F)
    for c in range(Cn):
        v0 = vbase[c]
        M = vbase[c + 1] - v0
        for r in range(ch * M // nchunk, (ch + 1) * M // nchunk):
            g = v0 + r
            n = rid[g]
            for j in range(RW):
                s[j] = ZERO
            for q in range(roff[g], roff[g + 1]):
                for j in range(RW):
                    s[j] += gbuf[q, j]
            A = rec[g, 2]
            B = rec[g, 3]
            C = rec[g, 4]
            v_means2d[c, n, 0] = A * s[1] + B * s[2]
            v_means2d[c, n, 1] = B * s[1] + C * s[2]
            v_conics[c, n, 0] = HALF * s[3]
            v_conics[c, n, 1] = s[4]
            v_conics[c, n, 2] = HALF * s[5]
            v_opac[c, n] = -s[0] / rec[g, 5] if s[0] != ZERO else ZERO
            for k in range(D):
                v_colors[c, n, k] = s[6 + k]
