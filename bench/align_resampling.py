"""How far resampled photographs are from the truth, and what that costs: tita's own beside OpenCV's interpolations.

    python bench/align_resampling.py --data ../shared/data/dev

"Shift": crops moved by six fractions of a pixel, against the same by a Fourier transform. "Finer": photographs averaged
to a third of their size and moved by homographies, against the photograph moved before it is averaged. PSNR in dB of
samples in 0..1, the mean and the worst photograph. Time: processor seconds for 12 megapixels of colour, least of three.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from align_cases import draw, read

from tita_cli.align.geometry import Matrix, translating
from tita_cli.align.warp import warp
from tita_cli.images.picture import FloatArray, Picture

Method = Callable[[FloatArray, Matrix], FloatArray]

PHOTOS = ("photos/bracket_large", "photos/bracket_moving", "photos/bracket_handheld", "photos/focus_test3",
          "brackets/bracket_building_11mp", *(f"mff/lytro/lytro_{n:02}" for n in (1, 5, 9, 13)))  # fmt: skip
SIDE, BORDER = 512, 24  # px of a crop, and what of it is not compared
FINER, BLUR = 3, 0.5  # times as fine, and the standard deviation of the average in pixels of the reduced picture


def opencv(flag: int) -> Method:
    return lambda image, matrix: cv2.warpPerspective(
        image, matrix, image.shape[1::-1], flags=flag, borderMode=cv2.BORDER_REFLECT_101
    )


METHODS: dict[str, Method] = {
    "bilinear": opencv(cv2.INTER_LINEAR),
    "bicubic": opencv(cv2.INTER_CUBIC),
    "Lanczos": opencv(cv2.INTER_LANCZOS4),
    "tita": lambda image, matrix: warp(Picture(image), matrix, (image.shape[1], image.shape[0])).pixels,
}


def photographs(data: Path) -> Iterator[FloatArray]:
    for name in PHOTOS:
        folder = data / name
        if folder.is_dir():
            yield read(sorted(folder.iterdir())[0]).astype(np.float32) / 255


def shifted(image: FloatArray, x: float, y: float) -> FloatArray:
    """``image``, continued by its mirror image, moved by a Fourier transform."""
    whole = np.pad(image, ((0, image.shape[0]), (0, image.shape[1]), (0, 0)), mode="symmetric")
    down, across = np.fft.fftfreq(whole.shape[0])[:, None, None], np.fft.rfftfreq(whole.shape[1])[None, :, None]
    moved = np.fft.rfft2(whole, axes=(0, 1)) * np.exp(-2j * np.pi * (across * x + down * y))
    return np.fft.irfft2(moved, s=whole.shape[:2], axes=(0, 1))[: image.shape[0], : image.shape[1]].astype(np.float32)


def shifts(image: FloatArray) -> Iterator[tuple[FloatArray, Matrix, FloatArray, np.ndarray]]:
    """A crop, a motion, what it comes to, and where that is known."""
    top, left = ((side - min(side, SIDE)) // 2 for side in image.shape[:2])
    crop = np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])
    known = np.zeros(crop.shape[:2], bool)
    known[BORDER:-BORDER, BORDER:-BORDER] = True
    for x, y in np.random.default_rng(0).uniform(0.0, 1.0, (6, 2)):
        yield crop, translating(x, y), shifted(crop, x, y), known


def finer(image: FloatArray) -> Iterator[tuple[FloatArray, Matrix, FloatArray, np.ndarray]]:
    """The same of a photograph reduced to a third, moved before that."""
    fine = cv2.GaussianBlur(image[:2400, :2400], (0, 0), BLUR * FINER)
    small = np.ascontiguousarray(fine[::FINER, ::FINER])
    size, down = small.shape[1::-1], np.diag([1 / FINER, 1 / FINER, 1.0])
    for seed in range(2):
        matrix = draw(np.random.default_rng(seed), *size)
        truth = cv2.warpPerspective(fine, matrix @ down, size, flags=cv2.INTER_LANCZOS4)
        seen = cv2.warpPerspective(np.ones(small.shape[:2], np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
        yield small, matrix, truth, cv2.erode(seen, np.ones((BORDER, BORDER)), borderValue=0) > 0


def psnr(one: FloatArray, other: FloatArray, where: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((one - other)[where] ** 2)))


def seconds(method: Method) -> float:
    image = np.random.default_rng(0).random((3000, 4000, 3), dtype=np.float32)
    matrix, spent = draw(np.random.default_rng(1), 4000, 3000), []
    for _ in range(3):
        began = time.process_time()
        method(image, matrix)
        spent.append(time.process_time() - began)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    images = list(photographs(args.data))
    print(f"{len(images)} photographs   shift: mean  worst   finer: mean  worst   processor s for 12 MP")
    for name, method in METHODS.items():
        told = []
        for cases in (shifts, finer):
            by_image = [np.mean([psnr(method(a, m), t, k) for a, m, t, k in cases(image)]) for image in images]
            told += [np.mean(by_image), np.min(by_image)]
        print(f"{name:23}" + " {:5.1f}  {:5.1f}         {:5.1f}  {:5.1f}".format(*told) + f"   {seconds(method):.2f}")


if __name__ == "__main__":
    main()
