"""Sessions of the layer service, whatever carries them: each request done once, however often it is said.

What is computed when, `server.layers.turns` says. With `split.batch = 1` each request is computed by itself: what a
client's step gives depends on nobody else who is there, to the bit, and a shard that is trained again comes out as it
did.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, singledispatchmethod
from weakref import WeakValueDictionary

from fedrec import hardware
from fedrec.config import LoraConfig, RunConfig
from fedrec.errors import FedrecError
from fedrec.models.adapter import ALL_LINEAR, layer_matches, target_layers, target_names, to_arrays, to_state
from fedrec.models.split import Middle
from fedrec.protocol import layers
from fedrec.protocol.record import BadMessage, Record, untrusted
from fedrec.protocol.wire import pack, unpack
from fedrec.scoring import TOKENS
from fedrec.text import shown
from fedrec.training.middle import Begin, MiddleSession
from fedrec.training.state_bytes import from_bytes, to_bytes
from server.layers.turns import Turns

_PER_CLIENT = 4  # sessions: one that learns, one that is judged by validation rows, and their remains

_TOGETHER = {"cpu": 512, "cuda": 16_384}  # tokens in a pass; on a CPU more of them no longer stay in a core's cache


@dataclass
class Held:
    """A session.

    Attributes:
        number, reply: the last request, and its answer.
        touched: when it came, by the monotonic clock.
        learns: whether it has been learnt with, rather than judged.
    """

    client: str
    session: MiddleSession
    number: int
    reply: bytes = b""
    touched: float = field(default_factory=time.monotonic)
    learns: bool = False


class _Gate:
    """One request of a session at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def tokens_at_once(config: RunConfig) -> int:
    """Tokens of rows, with padding, that a client has computed at once: in a step, or to judge an adapter."""
    return max(TOKENS, config.train.batch * config.prompt.window)


class Sessions:
    """All that a service has."""

    def __init__(
        self, middle: Middle, config: RunConfig, *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            most: sessions at a time.
        """
        self._middle, self._config, self._most, self._clock = middle, config, most, clock
        self._held: dict[str, Held] = {}
        self._gates: WeakValueDictionary[str, _Gate] = WeakValueDictionary()
        self._lock = threading.Lock()
        split = config.split
        tokens = _TOGETHER["cpu" if config.train.device == "cpu" else "cuda"]
        self._turns = Turns(
            split.batch, tokens, split.window, lambda: sum(held.learns for held in [*self._held.values()])
        )

    @property
    def lora(self) -> LoraConfig:
        """The run's adapters, of the middle's layers."""
        every, targets = target_layers(self._middle.layers, ALL_LINEAR), target_names(self._config.lora.targets)
        if targets != ALL_LINEAR:
            every = {name: shape for name, shape in every.items() if any(layer_matches(name, each) for each in targets)}
        return self._config.lora.model_copy(update={"targets": tuple(every)})

    def answer(self, client: str, data: bytes) -> bytes:
        """What a client's request is answered with.

        Raises:
            BadMessage: it is no request, or none that comes now; nothing has changed.
        """
        content = unpack(data)
        kind = layers.LAYER_REQUESTS.get(str(content.values.get("record")))
        if kind is None:
            raise BadMessage(f"it is {shown(content.values.get('record'))}, which is no request")
        request = kind.of(content)
        with self._gate(request.session).lock:  # the same request may come again while it is computed
            hardware.use_threads(self._config.train)
            if (known := self._replied(client, request)) is not None:
                return known
            with untrusted():
                reply = pack(self._done(request, client).content())
            if (held := self._held.get(request.session)) is not None:
                held.number, held.reply, held.touched = request.number, reply, self._clock()
            return reply

    def _gate(self, session: str) -> _Gate:
        with self._lock:
            return self._gates.setdefault(session, _Gate())

    def _replied(self, client: str, request: layers.LayerRequest) -> bytes | None:
        """What a request that is said again was answered with; None for the next one."""
        held = self._held.get(request.session)
        if held is not None and held.client != client:
            raise BadMessage("the session is another client's")
        if held is not None and request.number == held.number:
            return held.reply
        if not isinstance(request, layers.Open):
            if held is None:
                raise BadMessage("there is no such session; it may have been left alone for too long")
            if request.number != held.number + 1:
                raise BadMessage(f"request {request.number} comes after {held.number}")
        elif held is not None or request.number != 1:
            raise BadMessage("a session is opened once, by its first request")
        return None

    def drop(self, idle: float) -> list[str]:
        """Forget sessions that nothing was heard of for so many seconds; whose they were."""
        old = [name for name, held in list(self._held.items()) if self._clock() - held.touched >= idle]
        clients = [self._turns.alone(partial(self._forget, name)) for name in old]
        return [client for client in clients if client is not None]

    def __len__(self) -> int:
        return len(self._held)

    def _forget(self, name: str) -> str | None:
        """Whose it was; None where it is gone already."""
        if (held := self._held.pop(name, None)) is None:
            return None
        held.session.close()
        return held.client

    @singledispatchmethod
    def _done(self, request: layers.LayerRequest, client: str) -> Record:
        raise AssertionError(type(request).__name__)

    @_done.register
    def _(self, request: layers.Open, client: str) -> Record:
        mine = sum(held.client == client for held in self._held.values())
        if len(self._held) >= self._most or mine >= _PER_CLIENT:
            raise BadMessage(f"there are {len(self._held)} sessions, {mine} of them the client's: close some")
        if len(request.adapters) not in (1, 2) or request.pull < 0:
            raise BadMessage("it has an adapter to begin with, and one to be pulled towards at most")
        start, *anchor = map(to_state, request.adapters)
        train = self._config.train
        begin = Begin(
            start, self.lora, train.weight_decay, train.precision, request.seed, request.pull, *anchor,
        )  # fmt: skip
        try:
            session = self._turns.alone(lambda: MiddleSession(self._middle, begin))
        except FedrecError as error:
            raise BadMessage(str(error)) from None
        self._held[request.session] = Held(client, session, 1, touched=self._clock())
        return layers.Ready(number=1)

    @_done.register
    def _(self, request: layers.Forward, client: str) -> Record:
        longest = max(request.lengths, default=0)
        if longest > self._config.prompt.window or longest * len(request.lengths) > tokens_at_once(self._config):
            raise BadMessage(f"{len(request.lengths)} rows of {longest} tokens at most are too many at once")
        states, held = from_bytes(request.states, self._config.split.wire, request.shape), self._held[request.session]
        held.learns |= request.learn
        made = self._turns.forward(held.session, request.lengths, states, request.learn)
        return layers.States(number=request.number, states=to_bytes(made, self._config.split.wire))

    @_done.register
    def _(self, request: layers.Backward, client: str) -> Record:
        gradient = from_bytes(request.states, self._config.split.wire, request.shape)
        session = self._session(request)
        found = self._turns.backward(session, gradient, request.wanted)
        sent = b"" if found is None else to_bytes(found, self._config.split.wire)
        return layers.States(number=request.number, states=sent, squared_norm=session.squared_norm)

    @_done.register
    def _(self, request: layers.Step, client: str) -> Record:
        if request.rate < 0 or not 0 <= request.clip <= 1:
            raise BadMessage("a rate is not negative, and a gradient is shortened")
        session = self._session(request)
        self._turns.alone(lambda: session.step(request.rate, request.clip))
        return layers.Ready(number=request.number)

    @_done.register
    def _(self, request: layers.Fetch, client: str) -> Record:
        return layers.Adapted(number=request.number, adapters=[to_arrays(self._session(request).state())])

    @_done.register
    def _(self, request: layers.Close, client: str) -> Record:
        self._turns.alone(lambda: self._forget(request.session))
        return layers.Ready(number=request.number)

    def _session(self, request: layers.LayerRequest) -> MiddleSession:
        return self._held[request.session].session
