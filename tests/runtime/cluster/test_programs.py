"""Configuration files and arguments of each role."""

import yaml

from milvuslab.runtime.cluster.programs import prepare_program, render_kafka, render_s3proxy


def read_properties(text):
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def configuration_of(made, instance, kit):
    prepare_program(made, instance, kit=kit)
    path = made.folder_of(instance) / "config" / "milvus.yaml"
    assert path.stat().st_mode & 0o077 == 0, "it holds the keys of the object storage"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_a_role_of_milvus(make, kit):
    made = make()
    config = configuration_of(made, "query-node-2", kit)
    assert config["queryNode"]["port"] == made.port_of("query-node-2")
    assert {config[name]["ip"] for name in ("rootCoord", "queryNode", "dataNode", "proxy")} == {"127.0.0.1"}
    assert config["etcd"]["endpoints"] == f"127.0.0.1:{made.port_of('etcd-1')}"
    assert config["etcd"]["use"]["embed"] is False
    assert config["etcd"]["rootPath"] == config["common"]["chanNamePrefix"]["cluster"] == "milvuslab-cluster"
    assert config["kafka"]["brokerList"] == f"127.0.0.1:{made.port_of('kafka-1')}"
    assert config["mq"]["type"] == "kafka" and not {"pulsar", "rocksmq", "natsmq"} & set(config)
    assert config["common"]["session"]["ttl"] == 5
    assert (made.folder_of("query-node-2") / "config" / "glog.conf").is_file()


def test_the_program_of_a_role(make, kit):
    made = make()
    program = prepare_program(made, "query-coord-1", kit=kit)
    assert program.argv[1:] == ("run", "querycoord")
    assert program.environment["METRICS_PORT"] == str(made.port_of("query-coord-1", "metrics"))
    assert program.record_path == made.record_of("query-coord-1")


def test_every_coordinator_may_have_twins(make, kit):
    made = make()
    for instance, section in (
        ("root-coord-1", "rootCoord"),
        ("data-coord-2", "dataCoord"),
        ("query-coord-1", "queryCoord"),
    ):
        assert configuration_of(made, instance, kit)[section]["enableActiveStandby"] is True


def test_a_proxy_has_a_port_for_clients_and_one_for_the_others(make, kit):
    made = make()
    config = configuration_of(made, "proxy-2", kit)["proxy"]
    assert config["port"] == made.port_of("proxy-2")
    assert config["internalPort"] == made.port_of("proxy-2", "internal") != config["port"]


def test_roles_share_a_folder_or_have_copies_of_their_own(make, kit):
    local, remote = make("local"), make("remote", storage="s3")
    config = configuration_of(local, "data-node-1", kit)
    assert (config["common"]["storageType"], config["localStorage"]["path"]) == (
        "local",
        str(local.profile.folder / "data"),
    )
    config = configuration_of(remote, "data-node-1", kit)
    assert config["common"]["storageType"] == "minio"
    assert config["localStorage"]["path"] == str(remote.folder_of("data-node-1") / "local")
    assert config["minio"]["port"] == remote.port_of("s3-1")
    assert config["minio"]["secretAccessKey"] == remote.read_keys().secret_key.reveal()


def test_what_runs_elsewhere_is_written_as_it_was_named(make, kit):
    made = make(etcd_endpoints="e1:2379,e2:2379", kafka_addresses="k:9092")
    config = configuration_of(made, "data-node-1", kit)
    assert (config["etcd"]["endpoints"], config["kafka"]["brokerList"]) == ("e1:2379,e2:2379", "k:9092")


def test_one_broker_waits_for_nobody(make):
    made = make()
    values = read_properties(render_kafka(made, "kafka-1"))
    assert values["controller.quorum.voters"] == f"1@127.0.0.1:{made.port_of('kafka-1', 'controller')}"
    assert values["default.replication.factor"] == values["min.insync.replicas"] == "1"
    assert "0.0.0.0" not in values["listeners"] and values["listeners"].count("127.0.0.1") == 2


def test_three_brokers_survive_the_loss_of_one(make):
    made = make(kafka_brokers=3)
    values = read_properties(render_kafka(made, "kafka-3"))
    assert values["node.id"] == "3" and values["controller.quorum.voters"].count("@") == 3
    assert (values["default.replication.factor"], values["min.insync.replicas"]) == ("3", "2")
    config_of = read_properties(render_kafka(made, "kafka-1"))
    assert config_of["log.dirs"] != values["log.dirs"]


def test_three_members_of_etcd_know_each_other(make, kit):
    made = make(etcd_members=3)
    argv = prepare_program(made, "etcd-2", kit=kit).argv
    (initial,) = (word for word in argv if word.startswith("--initial-cluster="))
    assert initial.count("http://127.0.0.1:") == 3
    assert f"--listen-client-urls=http://127.0.0.1:{made.port_of('etcd-2')}" in argv
    assert "--election-timeout=1000" in argv


def test_the_object_storage_takes_only_its_keys(make):
    made = make(storage="s3")
    values = read_properties(render_s3proxy(made, "s3-1"))
    assert values["s3proxy.authorization"] == "aws-v2-or-v4"
    assert values["s3proxy.identity"] == made.read_keys().access_key.reveal()
    assert values["s3proxy.endpoint"] == f"http://127.0.0.1:{made.port_of('s3-1')}"
