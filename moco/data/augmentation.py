"""Views made in batches on the device, each image with random parameters of its own.

Crop, resize and flip are one product with a matrix for the rows and one for the columns of each image. The weights are those of
antialiased bilinear interpolation, so a view equals torchvision's `resized_crop` on the same box; colours follow torchvision's
`ColorJitter` (v0.26): four operations in an order of its own for each image, clamped to [0, 1] after each.

Letters: N images, C channels, H x W pixels of an image, S x S pixels of a view.
"""

import math
from typing import NamedTuple
import torch
from torch import Tensor
from moco.config import Config
from moco.device import send

KINDS = ("brightness", "contrast", "saturation", "hue")  # of the factors, in this order
CONTRAST, SATURATION, HUE = 1, 2, 3
LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision has it


class Recipe(NamedTuple):
    """How a view is drawn. Factors are uniform in [1 - x, 1 + x], the hue shift in [-hue, hue] turns."""

    crop_scale: tuple[float, float]  # share of the image's area
    flip: float  # probability
    jitter: float = 0.0  # probability of changing the colours at all
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0  # probability
    grayscale_first: bool = False  # before the jitter, not after it
    blur: float = 0.0  # probability


CIFAR = Recipe((0.08, 1.0), flip=0.5, jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grayscale=0.2)
RECIPES = {
    # He et al. 2020, section 3.3: grey before the colours change
    "moco_v1": Recipe((0.2, 1.0), 0.5, jitter=1.0, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4, grayscale=0.2, grayscale_first=True),
    "moco_v2": CIFAR._replace(crop_scale=(0.2, 1.0), blur=0.5),  # Chen et al. 2020: weaker hue, and blur
    "moco_cifar": CIFAR,  # FAIR's CIFAR-10 demo: smaller crops, no blur
    "svhn": CIFAR._replace(flip=0.0),  # a mirrored digit is another sign
    "digits": Recipe((0.5, 1.0), flip=0.0, jitter=0.8, brightness=0.4, contrast=0.4),
    "shapes": CIFAR._replace(crop_scale=(0.5, 1.0)),  # of a smaller crop the shape would often be missing
    "crop": Recipe((0.4, 1.0), flip=0.5),  # for training on labels
}
BLUR = (0.1, 2.0)  # standard deviation in pixels of the view, whatever its size (Chen et al. 2020, at 224)


class Parameters(NamedTuple):
    """What was drawn for N views, on the CPU."""

    box_N4: Tensor  # top, left, height, width in pixels
    flip_N: Tensor  # bool
    factor_N4: Tensor  # brightness, contrast, saturation factor; hue shift in turns
    order_N4: Tensor  # which of KINDS comes 1st to 4th; -1 throughout: colours stay
    gray_N: Tensor  # bool
    blur_N: Tensor  # standard deviation in pixels; 0: sharp


def draw(recipe: Recipe, count: int, height: int, width: int, generator: torch.Generator) -> Parameters:
    """Random parameters of `count` views of images of height x width pixels."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def share(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    box_N4 = draw_boxes(recipe.crop_scale, count, height, width, generator)
    flip_N = share(recipe.flip)
    spread = (recipe.brightness, recipe.contrast, recipe.saturation)
    factors = [uniform(max(0.0, 1 - x), 1 + x) for x in spread] + [uniform(-recipe.hue, recipe.hue)]
    order_N4 = torch.rand(count, 4, generator=generator).argsort(1)
    order_N4[~share(recipe.jitter)] = -1
    gray_N, blur_N = share(recipe.grayscale), torch.zeros(count)
    if recipe.blur:
        blur_N = torch.where(share(recipe.blur), uniform(*BLUR), blur_N)
    return Parameters(box_N4, flip_N, torch.stack(factors, 1), order_N4, gray_N, blur_N)


def draw_boxes(scale: tuple[float, float], count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Boxes (N, 4) of random area and aspect ratio 3/4 to 4/3: the first of ten tries that fits, else the whole image (Szegedy et al. 2015)."""
    area = height * width * (torch.rand(count, 10, generator=generator) * (scale[1] - scale[0]) + scale[0])
    ratio = torch.exp((torch.rand(count, 10, generator=generator) * 2 - 1) * math.log(4 / 3))
    w_NT, h_NT = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (w_NT > 0) & (w_NT <= width) & (h_NT > 0) & (h_NT <= height)
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    w = torch.where(found, w_NT.gather(1, first)[:, 0], torch.tensor(float(width)))
    h = torch.where(found, h_NT.gather(1, first)[:, 0], torch.tensor(float(height)))
    top = (torch.rand(count, generator=generator) * (height - h + 1)).floor()
    left = (torch.rand(count, generator=generator) * (width - w + 1)).floor()
    return torch.stack([top, left, h, w], 1)


def interpolation(start_N: Tensor, length_N: Tensor, mirrored_N: Tensor, size_in: int, size_out: int) -> Tensor:
    """Weights (N, size_out, size_in) that resize pixels start .. start + length of a row to size_out: antialiased, bilinear; mirrored
    where that is 1, not 0."""
    start, end, mirrored, scale = (x[:, None, None] for x in (start_N, start_N + length_N, mirrored_N, length_N / size_out))
    step = torch.arange(size_out, device=start.device)[None, :, None] + 0.5
    centre = torch.lerp(start, end, mirrored) + step * (scale - 2 * scale * mirrored)
    pixel = torch.arange(size_in, device=start.device)[None, None, :]
    weight = (pixel + 0.5 - centre).abs_().div_(scale.clamp(min=1)).neg_().add_(1).clamp_(min=0)
    weight.mul_(((pixel >= start) & (pixel < end)).float())
    return weight.div_(weight.sum(2, keepdim=True))


def render(
    images_NCHW: Tensor, parameters: Parameters, size: int, *, grayscale_first: bool = False, normal: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """The views (N, C, S, S), channels last, of uint8 images on their device; nothing waits for the device.

    Floats in [0, 1], or (x - mean) / std where `normal` gives both as (C, 1, 1). In between, colours are planes (C, N, S, S), and images
    are sorted by the place of the hue in their order: each change is then in place on a slice.
    """
    place_N = torch.where(parameters.order_N4[:, 0] < 0, 4, (parameters.order_N4 == HUE).int().argmax(1))
    sorting = place_N.argsort(stable=True)
    ends = [0, *torch.bincount(place_N, minlength=5).cumsum(0).tolist()]  # images ends[p] to ends[p + 1] turn their hue at place p, the last never
    parameters = Parameters(*(part[sorting] for part in parameters))
    planes = crop(images_NCHW[send(sorting, images_NCHW.device)], parameters, size)
    if grayscale_first:
        make_grey(planes, parameters)
    recolour(planes, parameters, ends)
    if not grayscale_first:
        make_grey(planes, parameters)
    blur(planes, parameters)
    if normal is not None:
        planes.sub_(normal[0][:, None]).div_(normal[1][:, None])
    return planes[:, send(sorting.argsort(), planes.device)].transpose(0, 1).contiguous(memory_format=torch.channels_last)


def crop(images_NCHW: Tensor, parameters: Parameters, size: int) -> Tensor:
    """The boxes resized and flipped, as planes (C, N, S, S) in [0, 1]."""
    count, channels, height, width = images_NCHW.shape
    drawn = torch.cat([parameters.box_N4, parameters.flip_N[:, None]], 1)
    top, left, box_height, box_width, flip = send(drawn, images_NCHW.device).unbind(1)
    rows_NSH = interpolation(top, box_height, torch.zeros_like(flip), height, size).div_(255)
    columns_NSW = interpolation(left, box_width, flip, width, size)
    lines = torch.bmm(images_NCHW.view(count, -1, width).float(), columns_NSW.transpose(1, 2)).view(count, channels, height, size)
    planes = lines.new_empty(channels, count, size, size)
    for channel in range(channels):
        torch.bmm(rows_NSH, lines[:, channel], out=planes[channel])
    return planes.clamp_(0, 1)


def recolour(planes: Tensor, parameters: Parameters, ends: list[int]) -> None:
    """Colour jitter in place, each image by its own parameters; planes (C, N, S, S) in [0, 1], sorted as `render` says."""
    kind_N4, last = parameters.order_N4, ends[4]
    factor_N4 = torch.where(kind_N4 < HUE, parameters.factor_N4.gather(1, kind_N4.clamp(min=0)), 1.0)
    shares = [factor_N4, kind_N4 == CONTRAST, kind_N4 == SATURATION, parameters.factor_N4[:, HUE:]]
    factor_N4, to_mean_N4, to_luma_N4, shift_N1 = send(torch.cat(shares, 1), planes.device).split(4, 1)
    for place in range(4):
        low, high = ends[place : place + 2]
        for part in (slice(0, low), slice(high, last)):
            if part.start < part.stop:
                blend(planes[:, part], *(x[part, place, None, None] for x in (factor_N4, to_mean_N4, to_luma_N4)))
        if low < high and len(planes) == 3:  # a grey image has no hue
            turn_hue(planes[:, low:high], shift_N1[low:high, :, None])


def blend(planes: Tensor, factor: Tensor, to_mean: Tensor, to_luma: Tensor) -> None:
    """Brightness, contrast or saturation in place: factor times the image, the rest of 1 black, its mean grey value, or itself in grey."""
    grey = luma(planes)
    target = (grey * to_luma).add_(grey.mean((1, 2), keepdim=True) * to_mean).mul_(1 - factor)
    planes.mul_(factor).add_(target).clamp_(0, 1)


def turn_hue(planes: Tensor, shift: Tensor) -> None:
    """Shifts the hue in place; value and saturation (HSV) stay. With v the largest channel, c the chroma and h the hue in turns, a channel
    is v - c + c clip(|k - 2| - 1, 0, 1), k = 6 frac(offset + h) (Smith 1978)."""
    r, g, b = planes
    value, least = torch.maximum(torch.maximum(r, g), b), torch.minimum(torch.minimum(r, g), b)
    chroma = value - least
    red = value.clone().eq_(r)  # 1 where red is the largest: products with numbers are five times as fast as torch.where on a CPU
    green = value.eq_(g).mul_(1 - red)
    blue = 1 - red - green
    sixth = (g - b).mul_(red).add_((b - r).mul_(green)).add_((r - g).mul_(blue)).div_(chroma.clamp(min=1e-12).mul_(6))
    turns = sixth.add_(green, alpha=2 / 6).add_(blue, alpha=4 / 6).add_(shift)
    k = turns + turns.new_tensor([11 / 6, 9 / 6, 7 / 6])[:, None, None, None]  # a whole turn more: frac wants what is positive
    k.frac_().mul_(6).sub_(2).abs_().sub_(1).clamp_(0, 1)
    torch.addcmul(least, chroma, k, out=planes)


def luma(planes: Tensor) -> Tensor:
    """Grey values (N, S, S)."""
    if len(planes) == 1:
        return planes[0]
    return (planes[0] * LUMA[0]).add_(planes[1], alpha=LUMA[1]).add_(planes[2], alpha=LUMA[2])


def make_grey(planes: Tensor, parameters: Parameters) -> None:
    """The chosen images in grey, in place."""
    chosen = parameters.gray_N.nonzero()[:, 0]
    if len(chosen) and len(planes) == 3:
        chosen = send(chosen, planes.device)
        planes[:, chosen] = luma(planes[:, chosen]).expand(3, -1, -1, -1)


def blur(planes: Tensor, parameters: Parameters) -> None:
    """The chosen images blurred by a Gaussian of their own width, in place; edges are mirrored, as in torchvision."""
    chosen = parameters.blur_N.nonzero()[:, 0]
    if len(chosen):
        weights_NSS = smoothing(send(parameters.blur_N[chosen], planes.device), planes.shape[2])
        chosen = send(chosen, planes.device)
        planes[:, chosen] = weights_NSS @ (planes[:, chosen] @ weights_NSS.transpose(1, 2))


def smoothing(sigma_N: Tensor, size: int) -> Tensor:
    """Weights (N, size, size) of a Gaussian over each pixel of a row; beyond the ends the row is mirrored without its last pixel."""
    pixel = torch.arange(size, device=sigma_N.device)
    offset = pixel[None, :] - pixel[:, None]  # of a source pixel from its target
    left, right = -pixel[None, :] - pixel[:, None], 2 * (size - 1) - pixel[None, :] - pixel[:, None]

    def bell(offset: Tensor, seen: Tensor) -> Tensor:
        return torch.exp(-0.5 * (offset / sigma_N[:, None, None]) ** 2) * (seen & (offset.abs() < size))

    everywhere = torch.ones_like(offset, dtype=torch.bool)
    weight = bell(offset, everywhere) + bell(left, pixel[None, :] > 0) + bell(right, pixel[None, :] < size - 1)
    return weight / weight.sum(2, keepdim=True)


def recipe(config: Config, of_dataset: str) -> Recipe:
    """The recipe that a config asks for; auto: the dataset's own, or crops alone where labels are learned.

    Raises:
        ValueError: no recipe has that name.
    """
    if config.views != "auto" and config.views not in RECIPES:
        raise ValueError(f"views must be auto or one of {', '.join(RECIPES)}; got {config.views!r}")
    chosen = RECIPES[of_dataset if config.views == "auto" else config.views]
    if config.views == "auto" and config.method == "supervised":
        chosen = RECIPES["crop"]._replace(flip=chosen.flip)
    share = {"on": 0.5, "off": 0.0}
    return chosen._replace(blur=share.get(config.views_blur, chosen.blur), flip=share.get(config.views_flip, chosen.flip))
