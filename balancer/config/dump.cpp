// SPDX-License-Identifier: MIT
#include "balancer/config/dump.hpp"

#include "balancer/config/units/byte_size.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/listen_address.hpp"
#include "balancer/config/units/signal_name.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;

Json encode(const ListenConfig& listen)
{
    Json json{{"address", listen.address}};
    if (!listen.name.empty())
        json["name"] = listen.name;
    if (parse_listen_address(listen.address).kind != ListenAddress::Kind::unix_path)
        json["v6only"] = listen.v6only;
    if (listen.mode)
        json["mode"] = fmt::format("{:04o}", *listen.mode);
    return json;
}

Json encode(const RestartConfig& restart)
{
    return {
        {"first_delay", format_duration(restart.first_delay)},
        {"longest_delay", format_duration(restart.longest_delay)},
        {"healthy_after", format_duration(restart.healthy_after)},
        {"give_up_after", restart.give_up_after},
    };
}

Json encode(const ReloadConfig& reload)
{
    return {
        {"strategy",
         reload.strategy == ReloadConfig::Strategy::rolling ? "rolling" : "all-at-once"},
        {"max_surge", reload.max_surge},
        {"max_unavailable", reload.max_unavailable},
        {"soak", format_duration(reload.soak)},
        {"max_old_generations", reload.max_old_generations},
    };
}

Json encode_byte_size(std::uint64_t size)
{
    return size > 0 && size % 1024 == 0 ? Json(format_byte_size(size)) : Json(size);
}

Json encode_amount(std::uint64_t amount)
{
    return amount == LimitConfig::unlimited ? Json("unlimited") : Json(amount);
}

void add(Json& json, const RunAsConfig& run_as)
{
    if (!run_as.user.empty())
        json["user"] = run_as.user;
    if (!run_as.group.empty())
        json["group"] = run_as.group;
    if (run_as.groups)
        json["groups"] = *run_as.groups;
    if (run_as.umask)
        json["umask"] = fmt::format("{:04o}", *run_as.umask);
    json["rlimits"] = Json::object();
    for (const auto& [name, limit] : run_as.rlimits)
        json["rlimits"][name] = {{"soft", encode_amount(limit.soft)},
                                 {"hard", encode_amount(limit.hard)}};
    if (run_as.nice)
        json["nice"] = *run_as.nice;
    if (run_as.oom_score_adj)
        json["oom_score_adj"] = *run_as.oom_score_adj;
    if (run_as.cpu_affinity.by_slot)
        json["cpu_affinity"] = "auto";
    else if (!run_as.cpu_affinity.cpus.empty())
        json["cpu_affinity"] = run_as.cpu_affinity.cpus;
    json["no_new_privs"] = run_as.no_new_privs;
    json["cgroup"] = run_as.cgroup == CgroupMode::automatic ? "auto"
                     : run_as.cgroup == CgroupMode::on      ? "on"
                                                            : "off";
    json["clear_env"] = run_as.clear_env;
}

Json encode(const OutputConfig& output)
{
    if (output.kind == OutputConfig::Kind::inherit)
        return "inherit";
    if (output == OutputConfig{})
        return "stderr";
    Json json;
    if (output.kind == OutputConfig::Kind::file)
        json = {{"file", output.file},
                {"max_size", encode_byte_size(output.max_size)},
                {"max_files", output.max_files}};
    json["on_full"] = output.on_full == OutputConfig::OnFull::block ? "block" : "drop";
    json["prefix"] = output.prefix;
    return json;
}

Json encode(const ProbeConfig& probe)
{
    return {
        {"path", probe.path},
        {"expect", probe.expect},
        {"timeout", format_duration(probe.timeout)},
    };
}

Json encode(const NodeConfig& node)
{
    return {
        {"policy", name_of(node.policy)},
        {"window", node.window},
        {"ready", node.ready == NodeConfig::Ready::listening ? "listening" : "online"},
        {"serialization", name_of(node.serialization)},
    };
}

Json encode(const PoolConfig& pool)
{
    Json json{{"name", pool.name}};
    if (!pool.command.empty())
        json["command"] = pool.command;
    json["dialect"] = name_of(pool.dialect);
    json["node"] = encode(pool.node);
    json["share"] = pool.share;
    json["workers"] = pool.workers == 0 ? Json("auto") : Json(pool.workers);
    json["listen"] = Json::array();
    for (const ListenConfig& listen : pool.listen)
        json["listen"].push_back(encode(listen));
    json["backlog"] = pool.backlog;
    json["env"] = pool.env.empty() ? Json::object() : Json(pool.env);
    json["cwd"] = pool.cwd;
    add(json, pool.run_as);
    json["max_queue"] = pool.max_queue;
    json["start_timeout"] = format_duration(pool.start_timeout);
    json["ready"] = pool.ready == Readiness::automatic ? "auto" : "notify";
    if (pool.start_delay)
        json["start_delay"] = format_duration(*pool.start_delay);
    if (pool.probe)
        json["probe"] = encode(*pool.probe);
    json["start_attempts"] = pool.start_attempts;
    json["drain_timeout"] = format_duration(pool.drain_timeout);
    json["stop_grace"] = format_duration(pool.stop_grace);
    json["stop_signal"] = signal_text(pool.stop_signal);
    json["stall_timeout"] = format_duration(pool.stall_timeout);
    json["hang_signal"] = signal_text(pool.hang_signal);
    json["max_connections"] = pool.recycle.max_connections;
    json["max_age"] = format_duration(pool.recycle.max_age);
    json["max_memory"] = encode_byte_size(pool.recycle.max_memory);
    json["output"] = encode(pool.output);
    json["restart"] = encode(pool.restart);
    json["reload"] = encode(pool.reload);
    return json;
}

} // namespace

std::string dump_config(const Config& config)
{
    Json pools = Json::array();
    for (const PoolConfig& pool : config.pools)
        pools.push_back(encode(pool));

    const Json document{{"log_level", log::name_of(config.log_level)},
                        {"lame_duck", format_duration(config.lame_duck)},
                        {"pools", std::move(pools)}};
    return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace usher
