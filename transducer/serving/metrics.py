"""Figures for Prometheus, in a registry of the server's own."""
from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What is counted. Labels are outcomes and directions only, so their number does not grow.

    Args:
        waiting, running, served: asked for when the figures are.
    """

    def __init__(self, waiting: Callable[[], float], running: Callable[[], float], served: Callable[[], float]):
        self.registry = CollectorRegistry()
        self.requests = Counter("transducer_requests", "Requests to generate, by outcome", ["outcome"], registry=self.registry)
        self.tokens = Counter("transducer_tokens", "Tokens read and generated in answers given", ["direction"], registry=self.registry)
        self.batches = Histogram("transducer_batch_size", "Requests answered together", buckets=SIZES, registry=self.registry)
        self.mixed = Histogram("transducer_batch_transducers", "Transducers in a batch", buckets=SIZES, registry=self.registry)
        self.queue_seconds = Histogram("transducer_queue_seconds", "From a request's place in the queue to its batch", buckets=SECONDS,
                                       registry=self.registry)
        self.generate_seconds = Histogram("transducer_generate_seconds", "From the start of a batch to an answer", buckets=SECONDS,
                                          registry=self.registry)
        self.request_seconds = Histogram("transducer_request_seconds", "From a request's arrival to its answer", buckets=SECONDS,
                                         registry=self.registry)
        for name, help, read in (("transducer_queue_length", "Requests that wait", waiting),
                                 ("transducer_running", "Requests of the batch that is being answered", running),
                                 ("transducer_served", "Transducers that are served", served)):
            Gauge(name, help, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        return generate_latest(self.registry)
