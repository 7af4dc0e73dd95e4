"""Plain K-means centres by scikit-learn: min over centres of Σ_i min_k ||x_i - a_k||², the same for the same input."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from unlearning.partition.rows import Vectors


def kmeans_centres(vectors: Vectors, count: int, seed: int) -> NDArray[np.float64]:
    """(min(count, n), d) centres of n vectors, from one seeded k-means++ start."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    count = min(count, len(vectors))
    if not count:
        return np.empty((0, vectors.shape[1]))
    with threadpool_limits(1), warnings.catch_warnings():  # threads would sum in any order
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors: fewer clusters than centres
        model = KMeans(count, n_init=1, random_state=seed).fit(vectors)
    return np.asarray(model.cluster_centers_, np.float64)
