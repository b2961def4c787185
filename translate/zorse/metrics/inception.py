"""The features that FID is defined on, through torch-fidelity: Inception-v3 with the weights of 2015.

Source: Heusel et al. 2017; torch-fidelity reproduces the published TensorFlow network to rounding.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from zorse.backends.torch.backend import exact_convolutions
from zorse.data.decode import Picture
from zorse.errors import MissingExtraError
from zorse.metrics.downloads import fetching
from zorse.metrics.features import Extractor, Prepared

REGISTERED = "inception-v3-compat"
"""The network's name in torch-fidelity's registry of feature extractors."""
LAYER = "2048"
"""The pooled features that FID and KID are computed from."""
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"


def inception_extractor(device: torch.device | str = "cpu", registered: str = REGISTERED) -> Extractor:
    """Inception-v3 as FID wants it: pictures of their own size, resized inside the network as TensorFlow 1 did it.

    Its weights are downloaded to PyTorch's cache on first use.

    Args:
        device: where to compute.
        registered: name of a feature extractor in torch-fidelity's registry, with features "2048".

    Raises:
        MissingExtraError: torch-fidelity is not installed.
        WeightsError: the weights are not here and cannot be downloaded.
    """
    try:
        from torch_fidelity.utils import create_feature_extractor
    except ImportError as error:
        raise MissingExtraError("FID", "train") from error
    with fetching("FID", URL, "95 MB"):
        network = create_feature_extractor(registered, [LAYER], cuda=False, verbose=False).to(device)

    def look(pictures: Prepared) -> NDArray[np.float32]:
        with torch.inference_mode(), exact_convolutions(torch.device(device)):
            (features,) = network(torch.from_numpy(pictures).to(device))
        rows: NDArray[np.float32] = features.cpu().numpy()
        return rows

    return Extractor(
        name="Inception-v3",
        identifier="inception-2015-12-05/299-tf-bilinear",
        description=f"{LAYER} pooled features of Inception-v3 (weights of 2015-12-05, torch-fidelity), pictures of "
        "their own size resized to 299 px inside (bilinear as in TensorFlow 1)",
        n_features=int(LAYER),
        prepare=_planar,
        look=look,
        batch_size=1,  # Pictures of one set may differ in size.
        has_fid=True,
    )


def _planar(picture: Picture) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))
