"""The image pool: a discriminator is also shown generated pictures of earlier iterations."""

import random
from typing import Any

import torch
from torch import Tensor


class ImagePool:
    """Keeps up to `size` generated pictures; half of those asked about are swapped for older ones.

    The discriminator thus cannot follow the generator's latest habit alone, which damps their oscillation.

    Args:
        size: pictures kept; 0 returns every picture as it is.
        seed: of the pool's own chance.

    Source: Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, section 4 (size 50).
    """

    def __init__(self, size: int = 50, seed: int = 0) -> None:
        self.size = size
        self._images: list[Tensor] = []
        self._chance = random.Random(seed)

    def query(self, images: Tensor) -> Tensor:
        """(N, C, H, W) new pictures -> (N, C, H, W), each new or, with probability 0.5 once the pool is full, old."""
        if self.size == 0:
            return images
        if self._images and self._images[0].shape != images.shape[1:]:
            self._images.clear()  # The run was resumed with crops of another size.
        return torch.stack([self._exchange(image) for image in images.detach()])

    def _exchange(self, image: Tensor) -> Tensor:
        # Copies: a view would keep the whole batch alive that the picture came in.
        if len(self._images) < self.size:
            self._images.append(image.clone())
            return image
        if self._chance.uniform(0, 1) <= 0.5:
            return image
        index = self._chance.randint(0, self.size - 1)
        old, self._images[index] = self._images[index], image.clone()
        return old

    def state_dict(self) -> dict[str, Any]:
        """Pictures and state of chance, for a checkpoint."""
        return {"images": [image.cpu() for image in self._images], "chance": self._chance.getstate()}

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Continue as the pool that `state` was taken from; what does not fit into a smaller pool is dropped."""
        self._images = [image.to(device) for image in state["images"][: self.size]]
        self._chance.setstate(state["chance"])
