"""Who is who: the nodes of a grid say which client of the run they are, and how many rows they have."""

from __future__ import annotations

import time

from flwr.app import Message
from flwr.serverapp import Grid

from fedrec.errors import FedrecError
from fedrec.protocol.answers import InventoryAnswer
from fedrec.protocol.questions import Inventory
from fedrec.protocol.record import BadMessage
from fedrec.text import amount, shown
from server.calls import Clients, content_of
from server.registered_grid import RegisteredGrid
from server.run import Run

_PATIENCE = 20.0  # seconds without a new node, after which no more are expected
_MEET = 120.0  # seconds for all clients to say who they are


def meet(grid: Grid, run: Run) -> Clients:
    """The clients of a run, each at the node that gives its name; where nodes have registered keys, that key's name.

    Raises:
        FedrecError: a client is missing, or a node is none that the run knows.
    """
    names = run.clients
    known = set(names)
    nodes: dict[str, int] = {}
    announced: dict[str, list[int]] = {}
    registered = {node: name for name, node in grid.nodes.items()} if isinstance(grid, RegisteredGrid) else None
    unknown = Clients(grid, run, {str(node): node for node in _await_nodes(grid, len(names))})
    faults: list[str] = []

    def accept(node: str, message: Message) -> bool:
        try:
            said = InventoryAnswer.of(content_of(message))
        except BadMessage as reason:
            faults.append(f"node {node} gives no answer: {reason}")
            return False
        client = said.client
        if not client:  # a node too many
            return False
        if registered is not None and registered.get(int(node)) != client:
            faults.append(f"the key of {shown(registered.get(int(node), ''))} calls itself {shown(client)}")
            return False
        if client not in known or client in nodes:
            raise FedrecError(f"node {node} says it is client {shown(client)}, which is unknown or already there")
        if len(said.examples) != run.config.shards:
            raise FedrecError(f"client {client} does not say how many rows it has in each shard")
        nodes[client], announced[client] = int(node), list(said.examples)
        return True

    unknown.send(dict.fromkeys(unknown.nodes, Inventory()), accept, len(names), _MEET)
    if missing := sorted(set(names) - set(nodes)):
        why = faults[0] if faults else f"no answer within {_MEET:g} s"
        raise FedrecError(f"clients {', '.join(missing)} are not there: {why}")
    return Clients(grid, run, dict(sorted(nodes.items())), announced)


def _await_nodes(grid: Grid, wanted: int) -> list[int]:
    """The nodes, once there are enough of them for all clients."""
    nodes, end = sorted(grid.get_node_ids()), time.monotonic() + _PATIENCE
    while len(nodes) < wanted:
        if time.monotonic() > end:
            raise FedrecError(
                f"the run has {amount(wanted, 'client')} but {amount(len(nodes), 'node is', 'nodes are')} connected: "
                f"start {wanted} (flwr run: --federation-config num-supernodes={wanted})"
            )
        time.sleep(0.2)
        found = sorted(grid.get_node_ids())
        if len(found) > len(nodes):
            end = time.monotonic() + _PATIENCE
        nodes = found
    return nodes
