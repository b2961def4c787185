"""The last step of generators that change the picture instead of drawing it anew."""

import torch
from torch import Tensor, nn

HEADROOM = 0.9
"""Share of the tanh's range that the untouched picture fills. Below 1, black and white pixels keep a gradient."""


class Recolour(nn.Module):
    """tanh((1 + scale) * atanh(HEADROOM * picture) + change) / HEADROOM, with a scale and a change for each pixel.

    A network that outputs zero changes nothing: what the translation does not need to touch stays as it is, at full
    detail. The scale lets it wipe out what must go, such as a zebra's stripes, which a sum alone would have to cancel
    pixel by pixel.
    """

    def forward(self, image: Tensor, scale_and_change: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1], (N, 1 + C, H, W) -> (N, C, H, W) in [-1, 1]; up to 1 / HEADROOM while training."""
        scale, change = torch.split(scale_and_change, [1, image.shape[1]], dim=1)
        # atanh brings the picture to where the tanh will take it back from; outside of [-1, 1] it has no value.
        picture = torch.atanh(HEADROOM * image.clamp(-1, 1))
        translated = torch.tanh((1 + scale) * picture + change) / HEADROOM
        # A clamp has no gradient where it bites: while training, the discriminator keeps the values in range instead.
        return translated if self.training else translated.clamp(-1, 1)
