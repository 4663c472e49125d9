"""A distributed Milvus on one machine: the binary as separate roles, with etcd, Kafka and storage as real processes."""

from milvuslab.runtime.cluster.layout import (
    Cluster,
    StorageKeys,
    make_cluster,
    open_cluster,
    pick_instance,
    read_cluster,
)
from milvuslab.runtime.cluster.lifecycle import (
    add_instance,
    read_instance_log,
    remove_instance,
    restart_instances,
    start_cluster,
    stop_cluster,
)
from milvuslab.runtime.cluster.roles import ROLES, Role, role_of
from milvuslab.runtime.cluster.sessions import fetch_sessions
from milvuslab.runtime.cluster.spec import ClusterSpec, make_spec, read_cluster_file
from milvuslab.runtime.cluster.status import ClusterStatus, RoleStatus, cluster_status
from milvuslab.runtime.cluster.tools import Kit, Tools, check_tools, find_tools, make_kit

__all__ = [
    "ROLES",
    "Cluster",
    "ClusterSpec",
    "ClusterStatus",
    "Kit",
    "Role",
    "RoleStatus",
    "StorageKeys",
    "Tools",
    "add_instance",
    "check_tools",
    "cluster_status",
    "fetch_sessions",
    "find_tools",
    "make_cluster",
    "make_kit",
    "make_spec",
    "open_cluster",
    "pick_instance",
    "read_cluster",
    "read_cluster_file",
    "read_instance_log",
    "remove_instance",
    "restart_instances",
    "role_of",
    "start_cluster",
    "stop_cluster",
]
