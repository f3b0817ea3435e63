// SPDX-License-Identifier: MIT
#include "balancer/config/validate.hpp"

#include "balancer/config/json/config_error.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <map>
#include <stdexcept>
#include <string>

namespace usher {

namespace {

class Validator {
public:
    explicit Validator(std::string_view origin) : origin_{origin} {}

    void check(const PoolConfig& pool, const std::string& pointer)
    {
        if (pool.command.empty())
            throw ConfigError{origin_, pointer,
                              "has no \"command\"; add one, e.g. \"command\": [\"./my-server\"]"};
        if (pool.listen.empty() && pool.dialect != Dialect::node) // its workers say where
            throw ConfigError{origin_, pointer,
                              "has no \"listen\"; add one, e.g. \"listen\": [\"8000\"]"};
        for (std::size_t i = 0; i < pool.listen.size(); ++i)
            check(pool.listen[i], fmt::format("{}/listen/{}", pointer, i));
        check_dialect(pool, pointer);
        if (pool.output.kind == OutputConfig::Kind::file)
            check(pool.output, pointer + "/output/file");
    }

private:
    /// Keys that would have no effect are refused rather than ignored.
    void check_dialect(const PoolConfig& pool, const std::string& pointer) const
    {
        const auto dialect = resolve(pool.dialect);
        const auto refuse = [&](const char* key, const std::string& reason) {
            throw ConfigError{origin_, pointer + "/" + key, reason};
        };
        if (dialect != Dialect::listen_fds) {
            if (pool.share)
                refuse("share", "is for dialect \"listen-fds\" alone; remove it");
            if (pool.start_delay)
                refuse("start_delay", "is for dialect \"listen-fds\" alone; remove it");
        }
        if (dialect == Dialect::native && pool.ready == Readiness::notify)
            refuse("ready", "cannot be \"notify\" for dialect \"native\", whose workers say "
                            "themselves when they are ready; remove it");

        if (pool.start_delay && pool.ready == Readiness::notify)
            refuse("start_delay", "has no effect with \"ready\": \"notify\"; remove one of them");

        const bool accept_themselves =
            dialect == Dialect::listen_fds ||
            (dialect == Dialect::node && (pool.node.policy == NodeConfig::Policy::none ||
                                          pool.node.policy == NodeConfig::Policy::reuseport));
        if (!accept_themselves)
            return;
        const auto reason =
            dialect == Dialect::node
                ? fmt::format("node policy \"{}\"", name_of(node_policy_names, pool.node.policy))
                : fmt::format("dialect \"{}\"", name_of(dialect));
        if (pool.probe)
            refuse("probe", fmt::format("cannot be had with {}, because the workers accept "
                                        "themselves; remove it",
                                        reason));
        if (pool.recycle.max_connections > 0)
            refuse("max_connections", fmt::format("cannot be counted with {}, because the workers "
                                                  "accept themselves; use max_age or max_memory",
                                                  reason));
    }

    void check(const ListenConfig& listen, const std::string& pointer)
    {
        const ListenAddress address = parse(listen.address, pointer);
        const auto [used, is_new] = first_use_.emplace(address, pointer);
        if (!is_new && is_exclusive(address))
            throw ConfigError{origin_, pointer,
                              fmt::format("listens on {} like {}; remove one of them",
                                          quote(listen.address), used->second)};
        const auto [named, is_new_name] = first_name_.emplace(listen.name, pointer);
        if (!is_new_name && !listen.name.empty())
            throw ConfigError{origin_, pointer,
                              fmt::format("is called {} like {}; choose another name",
                                          quote(listen.name), named->second)};
    }

    void check(const OutputConfig& output, const std::string& pointer)
    {
        const auto [used, is_new] = first_output_.emplace(output.file, pointer);
        if (!is_new)
            throw ConfigError{origin_, pointer,
                              fmt::format("writes to {} like {}; give each pool its own file",
                                          quote(output.file), used->second)};
    }

    [[nodiscard]] ListenAddress parse(std::string_view address, const std::string& pointer) const
    {
        try {
            return parse_listen_address(address);
        } catch (const std::invalid_argument& error) {
            throw ConfigError{origin_, pointer, error.what()};
        }
    }

    std::string_view origin_;
    std::map<ListenAddress, std::string> first_use_;  ///< the pointers of the listeners seen
    std::map<std::string, std::string> first_name_;   ///< the pointers of the listeners named
    std::map<std::string, std::string> first_output_; ///< the pointers of the files seen
};

} // namespace

void validate(const Config& config, std::string_view origin)
{
    if (config.pools.empty())
        throw ConfigError{origin, "/pools", "is empty, but must hold a pool"};

    Validator validator{origin};
    for (std::size_t i = 0; i < config.pools.size(); ++i)
        validator.check(config.pools[i], fmt::format("/pools/{}", i));
}

} // namespace usher
