"""Answers for many transducers over HTTP, with one frozen model in memory.

    python -m transducer.serve --transducer assert=runs/assert/transducer --transducer summarize=runs/summarize/transducer
    curl localhost:8000/v1/generate -H 'Content-Type: application/json' -d '{"task": "summarize", "language": "python", "code": "..."}'

A page to try it is at `/`, the description of the API at `/openapi.json`, figures at `/metrics`.
"""
from __future__ import annotations

import sys
from pathlib import Path

from .commands import CommandParser, command_line
from .config import add_options, resolve
from .errors import ConfigurationError, DependencyError
from .serving.settings import ServeSettings


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.serve", description=__doc__.splitlines()[0])
    parser.add_argument("--transducer", action="append", default=[], metavar="NAME=FOLDER",
                        help="a saved transducer, a folder or the id of one on the hub, and the name it is served by; may be given "
                             "several times")
    parser.add_argument("--model", help="the backbone; by default the one that the first transducer names")
    add_options(parser, ServeSettings)
    options = vars(parser.parse_args(arguments))
    places, model = _places(options.pop("transducer")), options.pop("model")
    settings = resolve(ServeSettings, options)
    token = _token(settings.token_file)
    if settings.root and not token:
        raise ConfigurationError("--root lets clients add transducers, which needs a token; give --token-file FILE as well")
    if not places and not (model and settings.root):
        raise ConfigurationError("nothing to serve; give --transducer NAME=FOLDER, or --model and --root to add transducers later")

    try:
        from .serving.app import make_app
        from .serving.server import make_server
        from .serving.service import Service
    except ImportError as error:
        raise DependencyError(f"the server needs a package that is not installed ({error.name}); install it with: "
                              "pip install 'transducer[serve]'") from error
    from .backbone import load_backbone
    from .hub import located
    from .serving.transducers import Transducers

    folders = {name: located(place) for name, place in places.items()}
    backbone = load_backbone(model or _first_model(folders), settings.precision, quantize=settings.quantize)
    transducers = Transducers(backbone, settings)
    for name, folder in folders.items():
        transducers.add(name, folder)
    service = Service(transducers, settings)
    server = make_server(make_app(service, token), service)
    try:
        server.run(sockets=[_bound(server.config, len(transducers))])
    finally:
        service.close()
    return 0


def _places(given: list[str]) -> dict[str, str]:
    places: dict[str, str] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not name or not folder:
            raise ConfigurationError(f"--transducer is {text!r}, expected NAME=FOLDER, such as assert=runs/assert/transducer")
        if name in places:
            raise ConfigurationError(f"--transducer gives the name {name!r} twice; use another name for one of them")
        places[name] = folder
    return places


def _token(file: str) -> str:
    if not file:
        return ""
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--token-file {file} cannot be read ({error}); give a text file with the token") from None
    if len(token) < 16:
        raise ConfigurationError(f"--token-file {file} holds a token of {len(token)} characters, expected 16 or more; write a longer one")
    return token


def _first_model(folders: dict[str, Path]) -> str:
    from checkpoints.artefact import read_artefact

    return read_artefact(next(iter(folders.values()))).config["backbone"]["name"]


def _bound(config, count: int):
    """The listening socket; its address is printed, since the port may have been left open."""
    import socket

    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"cannot listen on {config.host} port {config.port} ({error.strerror}); choose another --host or "
                                 "--port, or end what listens there") from None
    listening.listen(2048)  # from here on clients may connect
    host, port = listening.getsockname()[:2]
    print(f"serving {count} {'transducer' if count == 1 else 'transducers'} on http://{f'[{host}]' if ':' in host else host}:{port}",
          file=sys.stderr, flush=True)
    return listening


if __name__ == "__main__":
    raise SystemExit(command_line(main))
