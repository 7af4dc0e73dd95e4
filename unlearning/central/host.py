"""A sharded model as the commands of `fedrec forget` need it. What computes is imported when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fedrec.errors import FedrecError, command
from unlearning.central.model_folder import CENTRAL, ModelFolder
from unlearning.executor import Executor
from unlearning.requests.ledger import Ledger
from unlearning.workflow.newest_erasure import LACKS, differ, lacks, published


@dataclass(frozen=True)
class CentralHost:
    """A model on this machine."""

    model: ModelFolder

    @contextmanager
    def executor(self, ledger: Ledger, workers: str | int = 0) -> Iterator[Executor]:
        """
        Args:
            workers: as `parse_workers` gives it.
        """
        from unlearning.central.executor import CentralExecutor
        from unlearning.central.model import ShardedModel
        from unlearning.compute.processes import workers_for

        self.model.result  # noqa: B018  # of one that is not finished
        model = ShardedModel(self.model.folder)
        yield CentralExecutor(model, workers_for(workers, self.model.method.shards), ledger)

    def stale_files(self, ledger: Ledger) -> Iterator[tuple[str, str]]:
        try:
            self.model.catalogue  # noqa: B018
        except FedrecError as altered:
            yield "catalogue.json", str(altered)
            return  # by which alone the rows can be read
        mend = f"{command('forget run --run', self.model.folder)} puts that right"
        newest = published(self.model, ledger)
        for name, hashes in (("shards", self.model.kept()), ("manifest.json", self.model.ensemble.named())):
            for shard, request in differ(newest, {CENTRAL: hashes}).items():
                yield name, f"shard {shard} is of before erasure {request}; {mend}"
        for file, why in self.model.ensemble.misleading():
            yield file, f"{why}; {mend}"
        if (end := ledger.chain_ends().get(CENTRAL)) and lacks(self.model.vault, end):
            yield self.model.vault.path.name, f"{LACKS}; {mend}"

    def warnings(self) -> Iterable[str]:
        return ()

    def publish(self, database: str | None) -> None:
        from unlearning.central.evaluation import write_page

        write_page(self.model, database)
