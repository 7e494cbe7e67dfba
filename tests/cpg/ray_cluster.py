"""A Ray cluster of two nodes on this machine, one core each. Prints its address.

A line on standard input that says `remove` takes the second node away; the end of the input stops it all.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

STORE = 100 << 20


def main() -> None:
    """Run until the input ends."""
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(second, allow_graceful=False)
            print("removed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
