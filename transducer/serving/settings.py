"""Settings of the server. The text beside each field is the `--help` text; nothing heavy is imported here."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..config import option


@dataclass(frozen=True)
class ServeSettings:
    """What the server listens on, and what it takes from its clients."""

    heading: ClassVar[str] = "server"

    host: str = option("127.0.0.1", "address to listen on; 0.0.0.0: every one of this machine")
    port: int = option(8000, "port to listen on; 0: a free one, which is printed", minimum=0, maximum=65535)
    batch_size: int = option(16, "requests that are answered together, at most", minimum=1)
    window: float = option(5.0, "milliseconds that a request waits for others to be answered with", minimum=0.0)
    queue_length: int = option(64, "requests that may wait; further ones are refused with 429", minimum=1)
    time_limit: float = option(60.0, "seconds from a request's arrival to its answer; later it is given up with 504",
                               minimum=0.1)
    max_code_bytes: int = option(65536, "longest code of a request, in bytes of UTF-8", minimum=1)
    max_beams: int = option(8, "most beams that a request may ask for", minimum=1)
    max_new_tokens: int = option(256, "most tokens that a request may ask for", minimum=1)
    max_transducers: int = option(64, "most transducers that are served at a time", minimum=1)
    max_source_tokens: int = option(0, "longest input in tokens; 0: as each transducer was trained", minimum=16, or_zero=True)
    precision: str = option("float32", "arithmetic of the shared model. In float32 an answer is the same whatever it is batched with; "
                            "bfloat16 rounds so coarsely that some answers are not", choices=("auto", "float32", "bfloat16"))
    quantize: str = option("none", "bits of the shared model's weights, whatever the transducers were trained on; 8bit and 4bit need "
                           "bitsandbytes (the extra 'quantized')", choices=("none", "8bit", "4bit"))
    engine: str = option("auto", "graph engine: dgl, or torch with the same numbers; auto: dgl where it can be used",
                         choices=("auto", "dgl", "torch"))
    allow_mismatch: bool = option(False, "also serve transducers that were made for other weights of the same width, family and tokenizer")
    root: str = option("", "folder below which clients may name transducers to add; empty: none may be added")
    token_file: str = option("", "file with the token that clients have to send as 'Authorization: Bearer TOKEN'; empty: none")
    drain: float = option(30.0, "seconds that running and waiting requests have to end when the server is told to stop", minimum=0.0)

    @property
    def max_body_bytes(self) -> int:
        """Of a whole request: JSON may write a byte of code as six, and there is more in it than code."""
        return 6 * self.max_code_bytes + 16384
