"""torch.autograd wrappers around the numba kernels (zero-copy: CPU tensors and numpy arrays share memory)."""
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import _kernels as K

# Threading: plain `nogil` kernels driven by a Python thread pool instead of numba's parallel=True:
#  * no OpenMP/TBB/workqueue layer (two libgomp pools spin against each other when torch is loaded;
#    workqueue aborts the process on concurrent entry, e.g. a viewer thread next to a trainer),
#  * waits block instead of spinning, so it degrades gracefully on a busy or throttled machine,
#  * 3x shorter JIT, and any number of Python threads may call in at once.
_POOL = None


def num_threads() -> int:
    return int(os.environ.get("TOKENGS_RENDER_THREADS", 0)) or torch.get_num_threads()


def _reset_pool():
    global _POOL
    _POOL = None


if hasattr(os, "register_at_fork"):          # not on Windows
    os.register_at_fork(after_in_child=_reset_pool)


def _run(fn, ntask, *args):
    """fn(task, ntask, *args) for every task; tasks are taken dynamically, the caller works too."""
    global _POOL
    nt = min(num_threads(), ntask)
    if nt <= 1:
        for i in range(ntask):
            fn(i, ntask, *args)
        return
    if _POOL is None or _POOL._max_workers < nt - 1:
        _POOL = ThreadPoolExecutor(nt - 1, thread_name_prefix="cpu_raster")
    it = iter(range(ntask))
    def work():
        for i in it:                        # next() on a range iterator is atomic under the GIL
            fn(i, ntask, *args)
    fs = [_POOL.submit(work) for _ in range(nt - 1)]
    work()
    for f in fs:
        f.result()


def _np(t: Tensor) -> np.ndarray:
    return t.detach().contiguous().numpy()


def _nc(n: int, grain: int) -> int:
    """number of tasks for n items; independent of the thread count => bitwise reproducible"""
    return max(1, min(64, n // grain))


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, quats, scales, viewmats, Ks, width, height, eps2d, near, far, radius_clip, k):
        C, N = viewmats.shape[0], means.shape[0]
        dt = means.dtype
        radii = torch.empty(C, N, dtype=torch.int32)
        m2, dep = torch.empty(C, N, 2, dtype=dt), torch.empty(C, N, dtype=dt)
        con, cmp_ = torch.empty(C, N, 3, dtype=dt), torch.empty(C, N, dtype=dt)
        F = k.F
        _run(k.project_fwd, _nc(N, 2048), _np(means), _np(quats), _np(scales), _np(viewmats), _np(Ks), width,
             height, F(eps2d), F(near), F(far), F(radius_clip),
             radii.numpy(), m2.numpy(), dep.numpy(), con.numpy(), cmp_.numpy())
        ctx.save_for_backward(means, quats, scales, viewmats, Ks, radii, con, cmp_)
        ctx.cfg = (width, height, eps2d, k)
        ctx.mark_non_differentiable(radii)
        ctx.set_materialize_grads(False)
        return radii, m2, dep, con, cmp_

    @staticmethod
    @once_differentiable
    def backward(ctx, _r, g_m2, g_dep, g_con, g_cmp):
        means, quats, scales, viewmats, Ks, radii, con, cmp_ = ctx.saved_tensors
        width, height, eps2d, k = ctx.cfg
        C, N = radii.shape
        has_comp = g_cmp is not None
        z = lambda g, *s: np.zeros(s, k.F) if g is None else _np(g)
        vm, vq, vs = torch.empty_like(means), torch.empty_like(quats), torch.empty_like(scales)
        want_view = ctx.needs_input_grad[3]
        nch = _nc(N, 2048)
        vv = np.zeros((nch if want_view else 1, C, 12), k.F)
        _run(k.project_bwd, nch, _np(means), _np(quats), _np(scales), _np(viewmats), _np(Ks), width, height, k.F(eps2d),
                      radii.numpy(), _np(con), _np(cmp_), z(g_m2, C, N, 2), z(g_dep, C, N), z(g_con, C, N, 3),
                      z(g_cmp, C, N) if has_comp else np.zeros((C, 1), k.F), has_comp,
                      vm.numpy(), vq.numpy(), vs.numpy(), vv, want_view)
        gv = None
        if want_view:
            gv = torch.zeros_like(viewmats)
            gv[:, :3, :] = torch.from_numpy(vv.sum(0)).view(C, 3, 4)
        return vm, vq, vs, gv, None, None, None, None, None, None, None, None


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means2d, conics, colors, opac, bg, radii, depths, width, height, tile_size, k):
        C, N, D = colors.shape
        dt = means2d.dtype
        F = k.F
        tw, th = (width + 15) // 16, (height + 15) // 16
        a_m2, a_con, a_col, a_op = _np(means2d), _np(conics), _np(colors), _np(opac)
        a_bg = np.zeros((C, D), F) if bg is None else _np(bg)
        bbox = np.empty((C, N, 4), np.int32)
        nch = _nc(N, 4096)
        nvis, nis = np.zeros((nch, C), np.int64), np.zeros((nch, C), np.int64)
        _run(k.bin_count, nch, radii.numpy(), a_m2, a_con, a_op, width, height, tile_size, bbox, nvis, nis)
        vbase = np.concatenate(([0], np.cumsum(nvis.sum(0))))
        ibase = np.concatenate(([0], np.cumsum(nis.sum(0))))
        M, I = int(vbase[-1]), int(ibase[-1])
        rec, rid = np.empty((M, k.RW), F), np.empty(M, np.int32)
        rbb, roff = np.empty((M, 4), np.int32), np.empty(M + 1, np.int64)
        toff, tlist = np.empty(C * tw * th + 1, np.int64), np.empty(I, np.int32)
        roff[M] = toff[-1] = I
        _run(k.bin_sort, C, _np(depths), bbox, vbase, rid)
        _run(k.bin_pack, nch, a_m2, a_con, a_op, a_col, bbox, vbase, rid, rec, rbb)
        _run(k.bin_tiles, C, rbb, vbase, ibase, tw, th, roff, toff, tlist)
        out = torch.empty(C, height, width, D, dtype=dt)
        alpha = torch.empty(C, height, width, 1, dtype=dt)
        Tfin = np.empty((C, height, width), F)
        last = np.empty((C, height, width), np.int32)
        nw = min(64, C * tw * th)
        stats = np.zeros(nw, np.int64)
        _run(k.raster_fwd, nw, rec, rbb, vbase, toff, tlist, a_bg, width, height, tw, th, D,
             out.numpy(), alpha.numpy(), Tfin, last, stats)
        ctx.keep = (rec, rid, rbb, roff, vbase, toff, tlist, a_bg, Tfin, last)
        ctx.cfg = (C, N, D, width, height, tw, th, k, dt, bg is not None)
        ctx.set_materialize_grads(False)
        return out, alpha

    @staticmethod
    @once_differentiable
    def backward(ctx, g_out, g_alpha):
        rec, rid, rbb, roff, vbase, toff, tlist, a_bg, Tfin, last = ctx.keep
        C, N, D, width, height, tw, th, k, dt, has_bg = ctx.cfg
        F = k.F
        vo = np.zeros((C, height, width, D), F) if g_out is None else _np(g_out)
        va = np.zeros((C, height, width, 1), F) if g_alpha is None else _np(g_alpha)
        gbuf = np.zeros((tlist.shape[0], k.RW), F)
        g_m2, g_con = torch.zeros(C, N, 2, dtype=dt), torch.zeros(C, N, 3, dtype=dt)
        g_op, g_col = torch.zeros(C, N, dtype=dt), torch.zeros(C, N, D, dtype=dt)
        _run(k.raster_bwd, min(64, C * tw * th), rec, rbb, roff, vbase, toff, tlist, a_bg, width, height, tw, th, D,
             Tfin, last, vo, va, gbuf)
        _run(k.raster_reduce, _nc(N, 4096), rec, rid, roff, vbase, gbuf, D,
             g_m2.numpy(), g_con.numpy(), g_op.numpy(), g_col.numpy())
        g_bg = None
        if has_bg and ctx.needs_input_grad[4]:
            g_bg = torch.from_numpy((vo * Tfin[..., None]).sum((1, 2)))
        return g_m2, g_con, g_col, g_op, g_bg, None, None, None, None, None, None


def project(means, quats, scales, viewmats, Ks, width, height, eps2d=0.3, near_plane=0.01, far_plane=1e10,
            radius_clip=0.0, kernels=K):
    return _Project.apply(means, quats, scales, viewmats, Ks, int(width), int(height), eps2d, near_plane, far_plane,
                          radius_clip, kernels)


def rasterize_to_pixels(means2d, conics, colors, opacities, radii, depths, width, height, tile_size=16,
                        backgrounds=None, kernels=K):
    """colors [C,N,D] any D: groups of 4 channels, like gsplat's channel_chunk."""
    D = colors.shape[-1]
    outs, alpha = [], None
    for s in range(0, D, K.ND):
        bg = None if backgrounds is None else backgrounds[:, s:s + K.ND]
        o, a = _Rasterize.apply(means2d, conics, colors[..., s:s + K.ND], opacities, bg, radii, depths.detach(),
                                int(width), int(height), int(tile_size), kernels)
        outs.append(o)
        alpha = a if alpha is None else alpha
    return (outs[0] if len(outs) == 1 else torch.cat(outs, -1)), alpha


def rasterize(request):
    """Images [scene view height width 3|4], opacity [scene view height width 1] and an info dictionary per scene."""
    images, alphas, infos = [], [], []
    s = request.splats
    for i in range(s.means.shape[0]):
        views = request.viewmats.shape[1]
        radii, means2d, depths, conics, _ = project(
            s.means[i], s.quats[i], s.scales[i], request.viewmats[i], request.intrinsics[i],
            request.width, request.height, near_plane=request.near, far_plane=request.far)
        colors = s.colors[i].expand(views, -1, -1)
        background = request.background[i]
        if request.depth:
            colors = torch.cat([colors, depths[..., None]], -1)
            background = torch.cat([background, background.new_zeros(views, 1)], -1)
        opacities = s.opacities[i].expand(views, -1)
        image, alpha = rasterize_to_pixels(means2d, conics, colors, opacities, radii, depths,
                                           request.width, request.height, backgrounds=background)
        images.append(image)
        alphas.append(alpha)
        infos.append({"means2d": means2d, "radii": radii, "depths": depths})
    return torch.stack(images), torch.stack(alphas), infos
