"""Programs that we install, configure, start, watch and stop. Never a client of them beyond asking for readiness."""

from milvuslab.runtime.builds import BUILDS, Build, Machine, choose_build, read_machine
from milvuslab.runtime.install import Install, install_build, verify_install
from milvuslab.runtime.options import Option, OptionValue
from milvuslab.runtime.profile import (
    IsReady,
    Profile,
    add_lite,
    add_remote,
    add_standalone,
    endpoint_of,
    endpoints_of,
    list_profiles,
    read_profile,
    renew_ports,
)
from milvuslab.runtime.program import (
    Program,
    RunningProgram,
    StopReport,
    find_program,
    read_log_tail,
    start_program,
    stop_program,
)
from milvuslab.runtime.server import (
    ServerStatus,
    has_process,
    read_server_log,
    remove_server,
    restart_server,
    server_status,
    start_server,
    stop_server,
)

__all__ = [
    "BUILDS",
    "Build",
    "Install",
    "IsReady",
    "Machine",
    "Option",
    "OptionValue",
    "Profile",
    "Program",
    "RunningProgram",
    "ServerStatus",
    "StopReport",
    "add_lite",
    "add_remote",
    "add_standalone",
    "choose_build",
    "endpoint_of",
    "endpoints_of",
    "find_program",
    "has_process",
    "install_build",
    "list_profiles",
    "read_log_tail",
    "read_machine",
    "read_profile",
    "read_server_log",
    "remove_server",
    "renew_ports",
    "restart_server",
    "server_status",
    "start_program",
    "start_server",
    "stop_program",
    "stop_server",
    "verify_install",
]
