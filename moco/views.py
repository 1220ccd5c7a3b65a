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
    "crop": Recipe((0.4, 1.0), flip=0.5),  # for training on labels
}
BLUR = (0.1, 2.0)  # standard deviation in pixels of the view, whatever its size (Chen et al. 2020, at 224)


class Parameters(NamedTuple):
    """What was drawn for N views, on the CPU."""

    box_N4: Tensor  # top, left, height, width in pixels
    flip_N: Tensor  # bool
    factor_N4: Tensor  # brightness, contrast, saturation factor; hue shift in turns
    order_N4: Tensor  # which operation comes 1st to 4th; -1 throughout: colours stay
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


def interpolation(start_N: Tensor, length_N: Tensor, size_in: int, size_out: int) -> Tensor:
    """Weights (N, size_out, size_in) that resize pixels start .. start + length of a row to size_out: antialiased, bilinear."""
    scale_N11 = (length_N / size_out)[:, None, None]
    device = start_N.device
    centre = (torch.arange(size_out, device=device) + 0.5)[None, :, None] * scale_N11 + start_N[:, None, None]
    pixel = torch.arange(size_in, device=device)[None, None, :]
    weight = (1 - ((pixel + 0.5 - centre) / scale_N11.clamp(min=1)).abs()).clamp(min=0)
    inside = (pixel >= start_N[:, None, None]) & (pixel < (start_N + length_N)[:, None, None])
    weight = weight * inside
    return weight / weight.sum(2, keepdim=True)


def render(images_NCHW: Tensor, parameters: Parameters, size: int, *, grayscale_first: bool = False) -> Tensor:
    """The views (N, C, S, S), float in [0, 1], of uint8 images on their device."""
    device = images_NCHW.device
    box, flip = parameters.box_N4.to(device), parameters.flip_N.to(device)
    rows_NSH = interpolation(box[:, 0], box[:, 2], images_NCHW.shape[2], size)
    columns_NSW = interpolation(box[:, 1], box[:, 3], images_NCHW.shape[3], size)
    columns_NSW = torch.where(flip[:, None, None], columns_NSW.flip(1), columns_NSW)
    pixels = images_NCHW.float() / 255
    views = (rows_NSH[:, None] @ (pixels @ columns_NSW[:, None].transpose(2, 3))).clamp_(0, 1)
    for change in (make_grey, recolour) if grayscale_first else (recolour, make_grey):
        change(views, parameters)
    blur(views, parameters)
    return views


def recolour(views: Tensor, parameters: Parameters) -> None:
    """Colour jitter in place, each image by its own parameters; views (N, C, S, S) in [0, 1]."""
    device = views.device
    kinds = list(OPERATIONS.values())[: 2 if views.shape[1] == 1 else 4]  # a grey image has neither saturation nor hue
    factor_N4 = parameters.factor_N4.to(device)
    for place in range(4):
        for kind, operation in enumerate(kinds):
            chosen = (parameters.order_N4[:, place] == kind).nonzero()[:, 0]
            if len(chosen):
                chosen = chosen.to(device, non_blocking=True)
                views[chosen] = operation(views[chosen], factor_N4[chosen, kind, None, None, None])


def make_grey(views: Tensor, parameters: Parameters) -> None:
    """The chosen images in grey, in place."""
    chosen = parameters.gray_N.nonzero()[:, 0].to(views.device)
    if len(chosen) and views.shape[1] > 1:
        views[chosen] = luma(views[chosen]).expand(-1, 3, -1, -1)


def blur(views: Tensor, parameters: Parameters) -> None:
    """The chosen images blurred by a Gaussian of their own width, in place; edges are mirrored, as in torchvision."""
    chosen = parameters.blur_N.nonzero()[:, 0]
    if len(chosen):
        weights_NSS = smoothing(parameters.blur_N[chosen].to(views.device), views.shape[2])[:, None]
        chosen = chosen.to(views.device)
        views[chosen] = weights_NSS @ (views[chosen] @ weights_NSS.transpose(2, 3))


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


def luma(x: Tensor) -> Tensor:
    """Grey value (N, 1, S, S)."""
    return x if x.shape[1] == 1 else (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """Towards black, or beyond the original."""
    return (x * factor).clamp(0, 1)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Towards the image's mean grey value."""
    return torch.lerp(luma(x).mean((2, 3), keepdim=True), x, factor).clamp(0, 1)


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Towards the grey image."""
    return torch.lerp(luma(x), x, factor).clamp(0, 1)


def shift_hue(x: Tensor, shift: Tensor) -> Tensor:
    """Turns the hue; value and saturation (HSV) stay. With v the largest channel and c the chroma, a channel is
    v - c clip(min(k, 4 - k), 0, 1), k = (offset + 6 hue) mod 6 (Smith 1978)."""
    value, chroma = x.amax(1), x.amax(1) - x.amin(1)
    r, g, b = x.unbind(1)
    safe = torch.where(chroma == 0, 1.0, chroma)
    sextant = torch.where(value == r, (g - b) / safe, torch.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    k = sextant[:, None] + 6 * shift + x.new_tensor([5.0, 3.0, 1.0])[:, None, None]
    k = torch.remainder(k, 6)
    return (value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)).clamp(0, 1)


OPERATIONS = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": shift_hue}  # in the order of `factor_N4`


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
