"""What clients send and get, as OpenAPI describes it."""
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=64)]


class Options(BaseModel):
    """How to answer; what is left out is the task's own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    beams: int | None = Field(None, ge=1, description="beams of the search; 1: greedy. Default: the task's")
    max_new_tokens: int | None = Field(None, ge=1, description="longest answer in tokens. Default: the task's")
    stream: bool = Field(False, description="server-sent events: with one beam a piece of text a token, with more the final text alone")
    explain: bool = Field(False, description="also say which nodes of the graph were read, and draw the graph")


class GenerateRequest(BaseModel):
    """One question to one transducer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: Name | None = Field(None, description="a task that one transducer is served for")
    transducer: Name | None = Field(None, description="or the name of a transducer")
    code: str = Field(description="what the model reads; for a task with a placeholder the code that holds it")
    language: Name | None = Field(None, description="of the code; may be left out where the task has only one")
    options: Options = Field(default_factory=Options)


class Seconds(BaseModel):
    queue: float
    generate: float
    total: float


class Batch(BaseModel):
    requests: int
    transducers: int


class GenerateResponse(BaseModel):
    """The answer. `finish`: `end` where the model ended it, `length` where the limit cut it."""

    id: str
    transducer: str
    task: str
    language: str
    answer: str
    finish: Literal["end", "length"]
    input_tokens: int
    output_tokens: int
    truncated: bool = Field(description="whether the code was longer than the model reads, and was cut")
    seconds: Seconds
    batch: Batch
    explanation: dict[str, Any] | None = None


class AddRequest(BaseModel):
    """A further transducer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    folder: str = Field(min_length=1, max_length=1024, description="path below the root of the server")


class ErrorBody(BaseModel):
    type: str
    message: str


class ErrorResponse(BaseModel):
    error: ErrorBody
