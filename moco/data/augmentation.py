"""Random views of images, made in batches on the device; each image has parameters of its own.

Crop, resize and flip are one product with a matrix for the rows and one for the columns of each
image. Their weights are those of antialiased bilinear interpolation, so a view equals torchvision's
`resized_crop` of the same box. Colours follow torchvision's `ColorJitter` (v0.26): four operations
in random order, clamped to [0, 1] after each.

Letters: N images, C channels, H x W pixels of an image, S x S pixels of a view, T tries.
Inside `apply` the views are "planes" (C, N, S, S): a channel of all images is then contiguous.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from moco.data.recipes import Recipe
from moco.device import to_device

COLOUR_OPERATIONS = ("brightness", "contrast", "saturation", "hue")  # in the order of the factors
CONTRAST, SATURATION, HUE = 1, 2, 3  # their indices
LUMA = (0.2989, 0.587, 0.114)  # weights of red, green and blue (ITU-R 601, as in torchvision)
BLUR_SIGMA = (0.1, 2.0)  # range in pixels of the view, at any size (Chen et al. 2020, at 224 px)


class ViewParameters(NamedTuple):
    """The sampled parameters of N views, on the CPU."""

    box_N4: Tensor  # top, left, height, width in pixels
    flip_N: Tensor  # bool
    factor_N4: Tensor  # factors of brightness, contrast and saturation; hue shift in turns
    order_N4: Tensor  # indices of COLOUR_OPERATIONS, first to last; all -1: no jitter
    gray_N: Tensor  # bool
    blur_N: Tensor  # standard deviation in pixels; 0: no blur


def sample_parameters(
    recipe: Recipe, count: int, height: int, width: int, generator: torch.Generator
) -> ViewParameters:
    """Random parameters of `count` views of images of height x width pixels."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def bernoulli(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    box_N4 = sample_boxes(recipe.crop_scale, count, height=height, width=width, generator=generator)
    flip_N = bernoulli(recipe.flip)
    strengths = (recipe.brightness, recipe.contrast, recipe.saturation)
    factors = [uniform(max(0.0, 1 - x), 1 + x) for x in strengths]
    factors.append(uniform(-recipe.hue, recipe.hue))
    order_N4 = torch.rand(count, 4, generator=generator).argsort(1)
    order_N4[~bernoulli(recipe.jitter)] = -1
    gray_N, blur_N = bernoulli(recipe.grayscale), torch.zeros(count)
    if recipe.blur:
        blur_N = torch.where(bernoulli(recipe.blur), uniform(*BLUR_SIGMA), blur_N)
    return ViewParameters(
        box_N4=box_N4,
        flip_N=flip_N,
        factor_N4=torch.stack(factors, 1),
        order_N4=order_N4,
        gray_N=gray_N,
        blur_N=blur_N,
    )


def sample_boxes(
    scale: tuple[float, float], count: int, height: int, width: int, generator: torch.Generator
) -> Tensor:
    """Crop boxes (N, 4) of random area and aspect ratio, 3/4 to 4/3 (Szegedy et al. 2015).

    The first of ten tries that fits into the image, else the whole image.
    """
    relative_area = torch.rand(count, 10, generator=generator) * (scale[1] - scale[0]) + scale[0]
    area = height * width * relative_area
    exponent = torch.rand(count, 10, generator=generator) * 2 - 1
    ratio = torch.exp(exponent * math.log(4 / 3))
    w_NT, h_NT = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (w_NT > 0) & (w_NT <= width) & (h_NT > 0) & (h_NT <= height)
    first = fits.int().argmax(1, keepdim=True)
    any_fits = fits.any(1)
    w = torch.where(any_fits, w_NT.gather(1, first)[:, 0], torch.tensor(float(width)))
    h = torch.where(any_fits, h_NT.gather(1, first)[:, 0], torch.tensor(float(height)))
    top = (torch.rand(count, generator=generator) * (height - h + 1)).floor()
    left = (torch.rand(count, generator=generator) * (width - w + 1)).floor()
    return torch.stack([top, left, h, w], 1)


def interpolation_weights(
    start_N: Tensor, length_N: Tensor, mirrored_N: Tensor, size_in: int, size_out: int
) -> Tensor:
    """Weights (N, size_out, size_in) that resize the pixels start .. start + length of a row.

    Antialiased bilinear interpolation, as in torchvision.

    Args:
        start_N: first pixel, a float.
        length_N: in pixels.
        mirrored_N: 1: the row is also mirrored; 0: it is not.
        size_in: pixels of a row of the image.
        size_out: pixels of a row of the view.
    """
    start, end, mirrored, scale = (
        x[:, None, None] for x in (start_N, start_N + length_N, mirrored_N, length_N / size_out)
    )
    step = torch.arange(size_out, device=start.device)[None, :, None] + 0.5
    centre = torch.lerp(start, end, mirrored) + step * (scale - 2 * scale * mirrored)
    pixel = torch.arange(size_in, device=start.device)[None, None, :]
    weight = (pixel + 0.5 - centre).abs_().div_(scale.clamp(min=1)).neg_().add_(1).clamp_(min=0)
    weight.mul_(((pixel >= start) & (pixel < end)).float())
    return weight.div_(weight.sum(2, keepdim=True))


def apply(
    images_NCHW: Tensor,
    parameters: ViewParameters,
    size: int,
    *,
    grayscale_first: bool = False,
    normalisation: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The views (N, C, S, S) of uint8 images, in channels-last memory on the images' device.

    The images are sorted by the position of the hue shift in their order of colour operations, so
    that each operation works in place on a slice. Nothing waits for the device.

    Args:
        images_NCHW: uint8.
        parameters: of each image's view.
        size: S.
        grayscale_first: `Recipe.grayscale_first`.
        normalisation: mean and standard deviation (C, 1, 1); None: the views stay in [0, 1].
    """
    hue_position_N = torch.where(
        parameters.order_N4[:, 0] < 0, 4, (parameters.order_N4 == HUE).int().argmax(1)
    )
    sorting = hue_position_N.argsort(stable=True)
    ends = [0, *torch.bincount(hue_position_N, minlength=5).cumsum(0).tolist()]
    parameters = ViewParameters(*(part[sorting] for part in parameters))
    planes = crop_and_resize(images_NCHW[to_device(sorting, images_NCHW.device)], parameters, size)
    if grayscale_first:
        apply_grayscale(planes, parameters)
    jitter_colours(planes, parameters, ends)
    if not grayscale_first:
        apply_grayscale(planes, parameters)
    apply_blur(planes, parameters)
    if normalisation is not None:
        mean, std = normalisation
        planes.sub_(mean[:, None]).div_(std[:, None])
    unsorted = planes[:, to_device(sorting.argsort(), planes.device)]
    return unsorted.transpose(0, 1).contiguous(memory_format=torch.channels_last)


def crop_and_resize(images_NCHW: Tensor, parameters: ViewParameters, size: int) -> Tensor:
    """The boxes, resized and flipped, as planes (C, N, S, S) in [0, 1]."""
    count, channels, height, width = images_NCHW.shape
    boxes = torch.cat([parameters.box_N4, parameters.flip_N[:, None]], 1)
    top, left, box_height, box_width, flip = to_device(boxes, images_NCHW.device).unbind(1)
    rows_NSH = interpolation_weights(
        top, box_height, torch.zeros_like(flip), size_in=height, size_out=size
    ).div_(255)
    columns_NSW = interpolation_weights(left, box_width, flip, size_in=width, size_out=size)
    lines = torch.bmm(images_NCHW.view(count, -1, width).float(), columns_NSW.transpose(1, 2))
    lines_NCHS = lines.view(count, channels, height, size)
    planes = lines.new_empty(channels, count, size, size)
    for channel in range(channels):
        torch.bmm(rows_NSH, lines_NCHS[:, channel], out=planes[channel])
    return planes.clamp_(0, 1)


def jitter_colours(planes: Tensor, parameters: ViewParameters, ends: list[int]) -> None:
    """Jitter the colours of planes (C, N, S, S) in [0, 1], in place.

    Args:
        ends: six numbers; the images ends[p] to ends[p + 1] shift their hue at position p of
            their order, and those from ends[4] on are not jittered at all.
    """
    kind_N4, last = parameters.order_N4, ends[4]
    factor_N4 = parameters.factor_N4.gather(1, kind_N4.clamp(min=0))
    factor_N4 = torch.where(kind_N4 < HUE, factor_N4, 1.0)
    hue_N1 = parameters.factor_N4[:, HUE:]
    parts = [factor_N4, kind_N4 == CONTRAST, kind_N4 == SATURATION, hue_N1]
    packed = to_device(torch.cat(parts, 1), planes.device)
    factor_N4, to_mean_N4, to_luma_N4, hue_N1 = packed.split(4, 1)
    for position in range(4):
        low, high = ends[position : position + 2]
        for part in (slice(0, low), slice(high, last)):
            if part.start < part.stop:
                factor, to_mean, to_luma = (
                    x[part, position, None, None] for x in (factor_N4, to_mean_N4, to_luma_N4)
                )
                blend(planes[:, part], factor, to_mean, to_luma=to_luma)
        if low < high and len(planes) == 3:  # a grey image has no hue
            shift_hue(planes[:, low:high], hue_N1[low:high, :, None])


def blend(planes: Tensor, factor: Tensor, to_mean: Tensor, to_luma: Tensor) -> None:
    """Brightness, contrast or saturation in place: factor x image + (1 - factor) x target.

    The target is the mean grey value where `to_mean` is 1, the grey image where `to_luma` is 1,
    and black where both are 0.
    """
    grey = luma(planes)
    mean = grey.mean((1, 2), keepdim=True)
    target = (grey * to_luma).add_(mean * to_mean).mul_(1 - factor)
    planes.mul_(factor).add_(target).clamp_(0, 1)


def shift_hue(planes: Tensor, shift: Tensor) -> None:
    """Shift the hue in place by `shift` turns; value and saturation (HSV) are unchanged.

    With v the largest channel, c the chroma and h the hue in turns, a channel is
    v - c + c clip(|k - 2| - 1, 0, 1), k = 6 frac(offset + h) (Smith 1978).
    """
    r, g, b = planes
    value, least = torch.maximum(torch.maximum(r, g), b), torch.minimum(torch.minimum(r, g), b)
    chroma = value - least
    # 1 where red is the largest channel; on a CPU, products are five times as fast as torch.where
    red = value.clone().eq_(r)
    green = value.eq_(g).mul_(1 - red)
    blue = 1 - red - green
    sixth = (g - b).mul_(red).add_((b - r).mul_(green)).add_((r - g).mul_(blue))
    sixth = sixth.div_(chroma.clamp(min=1e-12).mul_(6))
    hue = sixth.add_(green, alpha=2 / 6).add_(blue, alpha=4 / 6).add_(shift)
    # one whole turn is added to the offsets, since frac needs positive numbers
    k = hue + hue.new_tensor([11 / 6, 9 / 6, 7 / 6])[:, None, None, None]
    k.frac_().mul_(6).sub_(2).abs_().sub_(1).clamp_(0, 1)
    torch.addcmul(least, chroma, k, out=planes)


def luma(planes: Tensor) -> Tensor:
    """Grey values (N, S, S)."""
    if len(planes) == 1:
        return planes[0]
    return (planes[0] * LUMA[0]).add_(planes[1], alpha=LUMA[1]).add_(planes[2], alpha=LUMA[2])


def apply_grayscale(planes: Tensor, parameters: ViewParameters) -> None:
    """Turn the images of `gray_N` grey, in place."""
    index = parameters.gray_N.nonzero()[:, 0]
    if len(index) and len(planes) == 3:
        index = to_device(index, planes.device)
        planes[:, index] = luma(planes[:, index]).expand(3, -1, -1, -1)


def apply_blur(planes: Tensor, parameters: ViewParameters) -> None:
    """Blur the images with `blur_N` above 0, in place; edges are reflected, as in torchvision."""
    index = parameters.blur_N.nonzero()[:, 0]
    if len(index):
        sigma_N = to_device(parameters.blur_N[index], planes.device)
        weights_NSS = gaussian_weights(sigma_N, planes.shape[2])
        index = to_device(index, planes.device)
        planes[:, index] = weights_NSS @ (planes[:, index] @ weights_NSS.transpose(1, 2))


def gaussian_weights(sigma_N: Tensor, size: int) -> Tensor:
    """Weights (N, size, size) that blur a row by a Gaussian.

    Beyond its ends, the row is reflected without repeating its end pixels.
    """
    pixel = torch.arange(size, device=sigma_N.device)
    source, target = pixel[None, :], pixel[:, None]
    inside = source - target  # offset of a source pixel from its target
    left, right = -source - target, 2 * (size - 1) - source - target  # offsets of its reflections

    def gaussian(offset: Tensor, exists: Tensor) -> Tensor:
        density = torch.exp(-0.5 * (offset / sigma_N[:, None, None]) ** 2)
        return density * (exists & (offset.abs() < size))

    everywhere = torch.ones_like(inside, dtype=torch.bool)
    weight = gaussian(inside, everywhere)
    weight = weight + gaussian(left, source > 0) + gaussian(right, source < size - 1)
    return weight / weight.sum(2, keepdim=True)
